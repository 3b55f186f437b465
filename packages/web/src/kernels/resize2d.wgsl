// Applies taps along one axis: y[outer, i, inner] = sum of weights[i, tap] x[outer, first[i] + tap, inner]. Both axes
// of a picture take one pass each.

struct Params {
  first: u32, count: u32, stride: u32,
  // Extents of the piece of the result, the last two.
  extent: u32, inner: u32,
  taps: u32,
  // Position of the first bound value of x on the axis.
  position: u32,
  // First element in its window; elements between outer positions, and between positions on the axis.
  x: u32, x_outer: u32,
  step: u32,
  y: u32,
  firsts: u32, weights: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<u32>;
@group(1) @binding(1) var<storage, read> firsts: array<u32>;
@group(1) @binding(2) var<storage, read> weights: array<u32>;
@group(1) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let outer = item / (p.extent * p.inner);
  let i = item / p.inner % p.extent;
  let inner = item % p.inner;
  let from_ = p.x + outer * p.x_outer + (firsts[p.firsts + i] - p.position) * p.step + inner;
  var sum = 0.0;
  for (var tap = 0u; tap < p.taps; tap++) {
    let weight = weights[p.weights + i * p.taps + tap];
    // A tap of weight 0 is none: what is there may be NaN.
    let value = select(0u, x[from_ + tap * p.step], (weight & MAGNITUDE) != 0u);
    sum += bitcast<f32>(weight) * bitcast<f32>(value);
  }
  y[p.y + item] = sum;
}
