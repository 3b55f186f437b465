// After the rotations: eigenvalues in ascending order, eigenvectors in columns, with their signs.

@group(1) @binding(4) var<storage, read_write> values: array<f32>;
@group(1) @binding(5) var<storage, read_write> vectors: array<f32>;

fn eigenvalue(row: u32) -> f32 {
  return work[row * p.n + row];
}

/// Rank of each eigenvalue (ties by place), and the sign that makes the first entry of largest magnitude positive.
@compute @workgroup_size(64)
fn order(@builtin(global_invocation_id) id: vec3u) {
  let row = p.x + id.x;
  if (row >= p.n) { return; }
  let value = eigenvalue(row);
  var rank = 0u;
  var largest = 0.0;
  for (var other = 0u; other < p.n; other++) {
    let rival = eigenvalue(other);
    rank += u32(rival < value || (rival == value && other < row));
    let entry = v[row * p.n + other];
    if (abs(entry) > abs(largest)) { largest = entry; }
  }
  rows[row] = vec2u(rank, bitcast<u32>(select(1.0, -1.0, largest < 0.0)));
  values[p.values + rank] = value * state.inverse;
}

@compute @workgroup_size(64)
fn emit(@builtin(global_invocation_id) id: vec3u) {
  let from_ = p.x + id.x;
  let row = p.y + id.y;
  if (from_ >= p.n || row >= p.n) { return; }
  let place = rows[from_];
  vectors[p.vectors + row * p.n + place.x] = bitcast<f32>(place.y) * v[from_ * p.n + row];
}
