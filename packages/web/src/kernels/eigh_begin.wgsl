// Before the rotations: a symmetric copy of the lower triangle, scaled by a power of two so that no square overflows
// or vanishes, and the identity.

@group(1) @binding(4) var<storage, read> a: array<u32>;

@compute @workgroup_size(64)
fn scan(@builtin(global_invocation_id) id: vec3u) {
  let row = p.x + id.x;
  if (row >= p.n) { return; }
  var largest = 0u;
  for (var col = 0u; col <= row; col++) { largest = max(largest, a[p.a + row * p.n + col] & MAGNITUDE); }
  rows[row] = vec2u(largest, 0u);
}

@compute @workgroup_size(1)
fn set_scale() {
  var largest = 0u;
  for (var row = 0u; row < p.n; row++) { largest = max(largest, rows[row].x); }
  // Exponents at the ends of the range have no normal inverse; near them a larger or smaller power does as well.
  let exponent = clamp(largest >> 23u, 1u, 253u);
  state.scale = bitcast<f32>((254u - exponent) << 23u);
  state.inverse = bitcast<f32>(exponent << 23u);
  atomicStore(&state.rotations, 0u);
  state.done = select(NOT_FINITE, NOT_DONE, is_finite(largest));
}

@compute @workgroup_size(64)
fn fill(@builtin(global_invocation_id) id: vec3u) {
  let col = p.x + id.x;
  let row = p.y + id.y;
  if (col >= p.n || row >= p.n) { return; }
  work[row * p.n + col] = bitcast<f32>(a[p.a + max(row, col) * p.n + min(row, col)]) * state.scale;
  v[row * p.n + col] = select(0.0, 1.0, row == col);
}

@compute @workgroup_size(64)
fn square_rows(@builtin(global_invocation_id) id: vec3u) {
  let row = p.x + id.x;
  if (row >= p.n) { return; }
  var sum = 0.0;
  for (var col = 0u; col < p.n; col++) {
    let value = work[row * p.n + col];
    sum += value * value;
  }
  rows[row].y = bitcast<u32>(sum);
}

@compute @workgroup_size(1)
fn set_threshold() {
  var sum = 0.0;
  for (var row = 0u; row < p.n; row++) { sum += bitcast<f32>(rows[row].y); }
  // All entries that count as zero then weigh less than half a unit in the last place of the norm.
  state.threshold = sqrt(sum) * 2.98023224e-8 / f32(p.n);
}
