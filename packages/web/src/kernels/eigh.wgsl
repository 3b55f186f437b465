// Eigendecomposition by cyclic Jacobi rotations (Golub and Van Loan, Matrix Computations, 4th ed., section 8.5), in
// the parallel order of a round-robin tournament: in each round every row meets one other, so that n / 2 rotations
// touch disjoint rows and columns, and the blocks where two pairs cross can be turned side by side.

// Of each pair: sine, sine / (1 + cosine) and tangent of the rotation that zeroes its entry; 0 for none.
@group(1) @binding(4) var<storage, read_write> turns: array<vec4f>;

/// The two rows that pair i of this round brings together, the smaller first; n for the bye of an odd number.
fn pair_of(i: u32) -> vec2u {
  let others = p.n + (p.n & 1u) - 1u;
  let left = select((p.round + i) % others, others, i == 0u);
  let right = (p.round + others - i) % others;
  return vec2u(min(left, right), max(left, right));
}

@compute @workgroup_size(64)
fn choose(@builtin(global_invocation_id) id: vec3u) {
  let i = p.x + id.x;
  if (i >= (p.n + 1u) / 2u || state.done != NOT_DONE) { return; }
  let pair = pair_of(i);
  let off = entry(pair.x, pair.y);
  if (abs(off) <= state.threshold) {
    turns[i] = vec4f();
    return;
  }
  let theta = (entry(pair.y, pair.y) - entry(pair.x, pair.x)) / (2.0 * off);
  // The smaller root of t^2 + 2 theta t - 1 = 0: an angle of at most 45 degrees.
  let size = abs(theta);
  let root = select(1.0 / (size + sqrt(size * size + 1.0)), 0.5 / size, size > 1e9);
  let t = select(root, -root, theta < 0.0);
  let cosine = 1.0 / sqrt(t * t + 1.0);
  let sine = t * cosine;
  turns[i] = vec4f(sine, sine / (1.0 + cosine), t, 0.0);
  atomicAdd(&state.rotations, 1u);
}

/// A rotation as a correction of what is rotated (Rutishauser): small angles cost next to no accuracy.
fn turned(turn: vec4f, first: f32, second: f32) -> vec2f {
  return vec2f(first - turn.x * (second + turn.y * first), second + turn.x * (first - turn.y * second));
}

fn entry(row: u32, col: u32) -> f32 {
  return select(0.0, work[row * p.n + col], row < p.n && col < p.n);
}

fn set_entry(row: u32, col: u32, value: f32) {
  if (row >= p.n || col >= p.n) { return; }
  work[row * p.n + col] = value;
  work[col * p.n + row] = value;
}

/// z = 0: the block of the matrix where pairs x and y cross; z = 1: column x of the eigenvectors of pair y.
@compute @workgroup_size(64)
fn rotate(@builtin(global_invocation_id) id: vec3u) {
  if (state.done != NOT_DONE) { return; }
  let x = p.x + id.x;
  let y = p.y + id.y;
  if (id.z == 1u && x >= p.n) { return; }
  if (id.z == 0u && x > y) { return; }
  let rows_of = pair_of(y);
  let row_turn = turns[y];
  if (id.z == 1u) {
    if (row_turn.x == 0.0) { return; }
    let first = rows_of.x * p.n + x;
    let second = rows_of.y * p.n + x;
    let pair = turned(row_turn, v[first], v[second]);
    v[first] = pair.x;
    v[second] = pair.y;
    return;
  }
  if (x == y) {
    if (row_turn.x == 0.0) { return; }
    // t times the entry that vanishes moves from one eigenvalue to the other.
    let moved = row_turn.z * entry(rows_of.x, rows_of.y);
    set_entry(rows_of.x, rows_of.x, entry(rows_of.x, rows_of.x) - moved);
    set_entry(rows_of.y, rows_of.y, entry(rows_of.y, rows_of.y) + moved);
    set_entry(rows_of.x, rows_of.y, 0.0);
    return;
  }
  let columns_of = pair_of(x);
  let column_turn = turns[x];
  if (row_turn.x == 0.0 && column_turn.x == 0.0) { return; }
  let left = turned(row_turn, entry(rows_of.x, columns_of.x), entry(rows_of.y, columns_of.x));
  let right = turned(row_turn, entry(rows_of.x, columns_of.y), entry(rows_of.y, columns_of.y));
  let upper = turned(column_turn, left.x, right.x);
  let lower = turned(column_turn, left.y, right.y);
  set_entry(rows_of.x, columns_of.x, upper.x);
  set_entry(rows_of.x, columns_of.y, upper.y);
  set_entry(rows_of.y, columns_of.x, lower.x);
  set_entry(rows_of.y, columns_of.y, lower.y);
}

/// Ends a sweep: without a rotation there is nothing left to do.
@compute @workgroup_size(1)
fn judge() {
  if (state.done == NOT_DONE) {
    if (atomicLoad(&state.rotations) == 0u) { state.done = CONVERGED; }
    atomicStore(&state.rotations, 0u);
  }
  // The host need not enqueue what would do nothing.
  status.progress = state.done;
}

@compute @workgroup_size(1)
fn conclude() {
  if (state.done != CONVERGED) { report(1u + state.done, 0u, 0u); }
}
