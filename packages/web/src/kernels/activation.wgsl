// y = activation(x).

struct Params {
  first: u32, count: u32, stride: u32,
  x: u32, y: u32, kind: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<f32>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  y[p.y + item] = activate(p.kind, x[p.x + item]);
}
