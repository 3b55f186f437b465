// y = x over its norm, row by row, as `torch.nn.functional.normalize` has it: an invocation a row.

struct Params {
  first: u32, count: u32, stride: u32,
  cols: u32, x: u32, y: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<f32>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = item_of(id);
  if (is_outside(row)) { return; }
  let from_x = p.x + row * p.cols;
  let from_y = p.y + row * p.cols;
  var squares = 0.0;
  for (var c = 0u; c < p.cols; c++) {
    let value = x[from_x + c];
    squares += value * value;
  }
  let norm = max(sqrt(squares), 1e-12);
  for (var c = 0u; c < p.cols; c++) { y[from_y + c] = x[from_x + c] / norm; }
}
