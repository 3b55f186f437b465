// The chunks of each column together: first the frame in which the second pass sums, then mean and deviation.

struct Params {
  col: u32, cols: u32, chunks: u32,
  // All rows, and the divisor of the variance.
  n: f32, divisor: f32,
  mean: u32, deviation: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read_write> frame: array<f32>;
@group(1) @binding(1) var<storage, read> partials: array<f32>;
@group(1) @binding(2) var<storage, read_write> mean: array<f32>;
@group(1) @binding(3) var<storage, read_write> deviation: array<f32>;

fn sum_of(quantity: u32, col: u32) -> f32 {
  var sum = 0.0;
  for (var chunk = 0u; chunk < p.chunks; chunk++) {
    sum += partials[(3u * chunk + quantity) * p.cols + col];
  }
  return sum;
}

@compute @workgroup_size(64)
fn centre(@builtin(global_invocation_id) id: vec3u) {
  let col = p.col + id.x;
  if (col >= p.cols) { return; }
  var largest = 0.0;
  for (var chunk = 0u; chunk < p.chunks; chunk++) {
    largest = max(largest, partials[(3u * chunk + 2u) * p.cols + col]);
  }
  frame[col] += sum_of(0u, col) / p.n;
  // The inverse of the power of two below `largest`; 1 for a constant column and for one that is not finite.
  let exponent = bitcast<u32>(largest) >> 23u;
  let usable = exponent > 0u && exponent < 254u;
  frame[p.cols + col] = select(1.0, bitcast<f32>((254u - exponent) << 23u), usable);
}

@compute @workgroup_size(64)
fn finish(@builtin(global_invocation_id) id: vec3u) {
  let col = p.col + id.x;
  if (col >= p.cols) { return; }
  let scale = frame[p.cols + col];
  let sum = sum_of(0u, col);
  // What the first mean lacks by rounding is taken from both results.
  let spread = sum_of(1u, col) - sum * sum / p.n;
  mean[p.mean + col] = frame[col] + sum / p.n / scale;
  deviation[p.deviation + col] = sqrt(select(spread, 0.0, spread < 0.0) / p.divisor) / scale;
}
