// y = (x - mean) / std by column; 0 where std is 0.

struct Params {
  first: u32, count: u32, stride: u32,
  cols: u32,
  x: u32, mean: u32, deviation: u32, y: u32,
  has_mean: u32, has_deviation: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<f32>;
@group(1) @binding(1) var<storage, read> mean: array<f32>;
@group(1) @binding(2) var<storage, read> deviation: array<f32>;
@group(1) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let col = item % p.cols;
  var value = x[p.x + item];
  if (p.has_mean != 0u) { value -= mean[p.mean + col]; }
  if (p.has_deviation != 0u) {
    let spread = deviation[p.deviation + col];
    value = select(value / spread, 0.0, spread == 0.0);
  }
  y[p.y + item] = value;
}
