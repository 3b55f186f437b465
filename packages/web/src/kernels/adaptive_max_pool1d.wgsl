// The largest value of each window of a row, by bits: a NaN wins, whatever the device makes of NaN.

struct Params {
  first: u32, count: u32, stride: u32,
  // Windows of a row in this piece.
  cols: u32,
  // Values of a row that are bound, from `start` on.
  start: u32, length: u32,
  x: u32, ld: u32, ranges: u32, y: u32,
  // What a window holds so far stands in y.
  accumulate: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<u32>;
@group(1) @binding(1) var<storage, read> ranges: array<u32>;
@group(1) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let row = item / p.cols;
  let col = item % p.cols;
  let begin = max(ranges[p.ranges + 2u * col], p.start) - p.start;
  let end = min(ranges[p.ranges + 2u * col + 1u] - p.start, p.length);
  var largest = SIGN | INFINITY;
  if (p.accumulate != 0u) { largest = y[p.y + item]; }
  for (var i = begin; i < end; i++) { largest = larger(largest, x[p.x + row * p.ld + i]); }
  y[p.y + item] = largest;
}
