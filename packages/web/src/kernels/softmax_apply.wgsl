// y = exp(x - largest) / sum, or its logarithm. A row of nothing but -Infinity, with a NaN or +Infinity is NaN.

struct Params {
  first: u32, count: u32, stride: u32,
  cols: u32, x: u32, y: u32,
  // Number of the first row here, and chunks of a row.
  row: u32, chunks: u32, log: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<u32>;
@group(1) @binding(1) var<storage, read> totals: array<u32>;
@group(1) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let total = 2u * p.chunks * (p.row + item / p.cols);
  let largest = totals[total];
  let sum = totals[total + 1u];
  let bits = x[p.x + item];
  var result = NAN;
  if (is_finite(largest)) {
    if (p.log == 0u) {
      result = bitcast<u32>(share_of(bits, largest) / bitcast<f32>(sum));
    } else if (is_finite(bits)) {
      let difference = bitcast<f32>(bits) - bitcast<f32>(largest);
      result = bitcast<u32>(difference - bitcast<f32>(logarithm(sum)));
    } else {
      result = SIGN | INFINITY;
    }
  }
  y[p.y + item] = result;
}
