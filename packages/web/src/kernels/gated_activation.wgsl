// y = value * activation(gate), of rows whose first half are values and whose second are gates.

struct Params {
  first: u32, count: u32, stride: u32,
  // Columns of y here, and elements between two rows of x.
  cols: u32, ld: u32,
  value: u32, gate: u32, y: u32, kind: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> values: array<f32>;
@group(1) @binding(1) var<storage, read> gates: array<f32>;
@group(1) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let from_ = (item / p.cols) * p.ld + item % p.cols;
  y[p.y + item] = values[p.value + from_] * activate(p.kind, gates[p.gate + from_]);
}
