// What both matrix products share: y[m, n] = alpha op(a) op(b) + beta c + bias, or y += alpha op(a) op(b).

struct Params {
  m: u32, n: u32, k: u32,
  // First element in its window, and elements between two rows and between two planes.
  a: u32, lda: u32, plane_a: u32,
  b: u32, ldb: u32, plane_b: u32,
  c: u32, ldc: u32, plane_c: u32,
  bias: u32, plane_bias: u32,
  y: u32, ldy: u32, plane_y: u32,
  alpha: f32, beta: f32,
  has_c: u32, has_bias: u32, accumulate: u32,
  triangle: u32,
  // Position of this piece in the whole product, and that product's first element in y's window.
  row0: u32, col0: u32, y0: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> a: array<f32>;
@group(1) @binding(1) var<storage, read> b: array<f32>;
@group(1) @binding(2) var<storage, read> c: array<f32>;
@group(1) @binding(3) var<storage, read> bias: array<f32>;
@group(1) @binding(4) var<storage, read_write> y: array<f32>;

/// First elements of a workgroup's plane.
var<private> first_a: u32;
var<private> first_b: u32;
var<private> plane: u32;

fn choose_plane(index: u32) {
  plane = index;
  first_a = p.a + index * p.plane_a;
  first_b = p.b + index * p.plane_b;
}

override TRANS_A: bool;
override TRANS_B: bool;

// Only entries on and below the diagonal are computed; MIRRORED stores them above it as well.
const LOWER = 1u;
const MIRRORED = 2u;

/// Partial sums over this many steps of k are added up first: the rounding error grows with their length, not k.
const FOLD = 128u;

fn a_at(row: u32, k: u32) -> f32 {
  let index = first_a + select(row * p.lda + k, k * p.lda + row, TRANS_A);
  return select(0.0, a[index], row < p.m && k < p.k);
}

fn b_at(k: u32, col: u32) -> f32 {
  let index = first_b + select(k * p.ldb + col, col * p.ldb + k, TRANS_B);
  return select(0.0, b[index], col < p.n && k < p.k);
}

fn a_rows(row: u32, k: u32) -> vec4f {
  return vec4f(a_at(row, k), a_at(row + 1u, k), a_at(row + 2u, k), a_at(row + 3u, k));
}

fn b_cols(k: u32, col: u32) -> vec4f {
  return vec4f(b_at(k, col), b_at(k, col + 1u), b_at(k, col + 2u), b_at(k, col + 3u));
}

/// True for a tile that lies above the diagonal altogether.
fn is_skipped(row: u32, col: u32, rows: u32) -> bool {
  return p.triangle != 0u && p.col0 + col > p.row0 + row + rows - 1u;
}

fn store_row(row: u32, col: u32, sums: vec4f) {
  for (var i = 0u; i < 4u; i++) { store(row, col + i, sums[i]); }
}

fn store(row: u32, col: u32, sum: f32) {
  if (row >= p.m || col >= p.n) { return; }
  if (p.triangle != 0u && p.col0 + col > p.row0 + row) { return; }
  let index = p.y + plane * p.plane_y + row * p.ldy + col;
  var value = p.alpha * sum;
  if (p.has_c != 0u) { value += p.beta * c[p.c + plane * p.plane_c + row * p.ldc + col]; }
  if (p.has_bias != 0u) { value += bias[p.bias + plane * p.plane_bias + col]; }
  if (p.accumulate != 0u) { value += y[index]; }
  y[index] = value;
  if (p.triangle == MIRRORED) { y[p.y0 + (p.col0 + col) * p.ldy + p.row0 + row] = value; }
}
