// Blocked Cholesky factorisation, right-looking (Golub and Van Loan, Matrix Computations, 4th ed., section 4.2.9): a
// block on the diagonal is factored by one workgroup, the panel below it solved by an invocation a row (both in
// cholesky_block.wgsl), the rest updated by the matrix product. Here: what it starts from.

struct Params {
  first: u32, count: u32, stride: u32,
  // Columns of this rectangle, and where in the matrix it begins.
  cols: u32, row0: u32, col0: u32,
  a: u32, lda: u32, y: u32, ldy: u32,
  shift: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read_write> y: array<f32>;
@group(1) @binding(1) var<storage, read> a: array<f32>;

/// The lower triangle of a with the shift on its diagonal, zeros above it.
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let row = item / p.cols;
  let col = item % p.cols;
  let i = p.row0 + row;
  let j = p.col0 + col;
  var value = 0.0;
  if (j <= i) { value = a[p.a + row * p.lda + col]; }
  if (i == j) { value += p.shift; }
  y[p.y + row * p.ldy + col] = value;
}
