// What all forms of a layer share: y[m, n] = activation(x wᵀ + bias) + residual; needs activate.wgsl and half.wgsl.

struct Params {
  m: u32, n: u32, k: u32,
  // First element in its window, and elements between two rows.
  x: u32, ldx: u32,
  w: u32, ldw: u32,
  bias: u32,
  residual: u32,
  y: u32, ldy: u32,
  activation: u32,
  has_bias: u32, has_residual: u32,
  // A piece of the sum: it adds to y; the last one is followed by all that follows the sum.
  accumulate: u32, finish: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<f32>;
@group(1) @binding(1) var<storage, read> w: array<u32>;
@group(1) @binding(2) var<storage, read> bias: array<f32>;
@group(1) @binding(3) var<storage, read> residual: array<f32>;
@group(1) @binding(4) var<storage, read_write> y: array<f32>;

/// Partial sums over this many steps of k are added up first: the rounding error grows with their length, not k.
const FOLD = 128u;

/// First elements of four rows of x. Those beyond the last are read as the last one, and never stored.
fn x_rows(row: u32) -> vec4u {
  return p.x + min(vec4u(row, row + 1u, row + 2u, row + 3u), vec4u(p.m - 1u)) * p.ldx;
}

/// First elements of four rows of w, which are columns of y.
fn w_rows(col: u32) -> vec4u {
  return p.w + min(vec4u(col, col + 1u, col + 2u, col + 3u), vec4u(p.n - 1u)) * p.ldw;
}

fn x_quad(at: vec4u) -> vec4f {
  return vec4f(x[at.x], x[at.y], x[at.z], x[at.w]);
}

fn w_quad(at: vec4u) -> vec4f {
  return vec4f(w_at(at.x), w_at(at.y), w_at(at.z), w_at(at.w));
}

fn w_at(element: u32) -> f32 {
  return element_in(w[word_of(element)], element);
}

fn store(row: u32, col: u32, sum: f32) {
  if (row >= p.m || col >= p.n) { return; }
  let index = p.y + row * p.ldy + col;
  var value = sum;
  if (p.accumulate != 0u) { value += y[index]; }
  if (p.finish != 0u) {
    if (p.has_bias != 0u) { value += bias[p.bias + col]; }
    value = activate(p.activation, value);
    if (p.has_residual != 0u) { value += residual[p.residual + row * p.ldy + col]; }
  }
  y[index] = value;
}
