// Repeats the pixels of a matrix whose rows are those of all pictures. Bits are copied, NaN among them.

struct Params {
  first: u32, count: u32, stride: u32,
  // The piece of the result: its extent, and how far into a repeated row and column it begins.
  cols: u32, row0: u32, col0: u32,
  factor: u32,
  x: u32, ld: u32, y: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<u32>;
@group(1) @binding(1) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let row = (p.row0 + item / p.cols) / p.factor;
  let col = (p.col0 + item % p.cols) / p.factor;
  y[p.y + item] = x[p.x + row * p.ld + col];
}
