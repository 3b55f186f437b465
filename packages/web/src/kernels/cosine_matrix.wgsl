// Rows of unit length, a workgroup each. Values are first brought near 1 by a power of two: their squares neither
// overflow nor vanish.

struct Params {
  row: u32, rows: u32, cols: u32, stride: u32,
  x: u32, ld: u32, y: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<u32>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

const WIDTH = 64u;
var<workgroup> largest_of: array<u32, WIDTH>;
var<workgroup> sum_of: array<f32, WIDTH>;

@compute @workgroup_size(WIDTH)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let row = p.row + group.y * p.stride + group.x;
  if (group.x >= p.stride || row >= p.rows) { return; }
  let from_ = p.x + row * p.ld;
  var largest = 0u;
  for (var col = t; col < p.cols; col += WIDTH) { largest = max(largest, x[from_ + col] & MAGNITUDE); }
  largest_of[t] = largest;
  workgroupBarrier();
  for (var i = 0u; i < WIDTH; i++) { largest = max(largest, largest_of[i]); }
  let exponent = largest >> 23u;
  // 2^-e in two factors: the inverse of the largest powers is not a normal number.
  let half = (254u - min(exponent, 254u)) / 2u;
  let scale = bitcast<f32>((half + 64u) << 23u);
  let rest = bitcast<f32>((254u - min(exponent, 254u) - half + 63u) << 23u);

  var sum = 0.0;
  for (var col = t; col < p.cols; col += WIDTH) {
    let value = bitcast<f32>(x[from_ + col]) * scale * rest;
    sum += value * value;
  }
  sum_of[t] = sum;
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < WIDTH; i++) { total += sum_of[i]; }
  let inverse = select(1.0 / sqrt(total), 0.0, total == 0.0);
  for (var col = t; col < p.cols; col += WIDTH) {
    y[p.y + row * p.cols + col] = bitcast<f32>(x[from_ + col]) * scale * rest * inverse;
  }
}
