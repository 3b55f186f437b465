// y = a kind b, or kind a. Buffers hold bit patterns: integers and floats share the code, and NaN is told by its
// bits.

struct Params {
  first: u32, count: u32, stride: u32,
  cols: u32,
  a: u32, b: u32, y: u32,
  // Elements of b between two rows and two columns: 0 where it repeats.
  b_row: u32, b_col: u32,
  has_b: u32, scalar: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> a: array<u32>;
@group(1) @binding(1) var<storage, read> b: array<u32>;
@group(1) @binding(2) var<storage, read_write> y: array<u32>;

override KIND: u32;
override INTEGER: bool;

const ADD = 0u;
const SUB = 1u;
const MUL = 2u;
const DIV = 3u;
const MAX = 4u;
const MIN = 5u;
const NEG = 16u;
const ABS = 17u;
const SQRT = 18u;
const SQUARE = 19u;
const EXP = 20u;
const LOG = 21u;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let left = a[p.a + item];
  var right = p.scalar;
  if (p.has_b != 0u) { right = b[p.b + (item / p.cols) * p.b_row + (item % p.cols) * p.b_col]; }
  if (INTEGER) {
    y[p.y + item] = bitcast<u32>(on_integers(bitcast<i32>(left), bitcast<i32>(right)));
  } else {
    y[p.y + item] = on_floats(left, right);
  }
}

/// 32-bit integers wrap around.
fn on_integers(left: i32, right: i32) -> i32 {
  switch (KIND) {
    case ADD: { return left + right; }
    case SUB: { return left - right; }
    case MUL: { return left * right; }
    case MAX: { return max(left, right); }
    case MIN: { return min(left, right); }
    case NEG: { return -left; }
    case ABS: { return abs(left); }
    case SQUARE: { return left * left; }
    default: { return 0; }
  }
}

fn on_floats(left: u32, right: u32) -> u32 {
  let x = bitcast<f32>(left);
  let z = bitcast<f32>(right);
  switch (KIND) {
    case ADD: { return bitcast<u32>(x + z); }
    case SUB: { return bitcast<u32>(x - z); }
    case MUL: { return bitcast<u32>(x * z); }
    case DIV: { return divide(left, right); }
    case MAX: { return larger(left, right); }
    case MIN: { return larger(left ^ SIGN, right ^ SIGN) ^ SIGN; }
    case NEG: { return left ^ SIGN; }
    case ABS: { return left & MAGNITUDE; }
    case SQRT: { return root(left); }
    case SQUARE: { return bitcast<u32>(x * x); }
    case EXP: { return exponential(left); }
    case LOG: { return logarithm(left); }
    default: { return NAN; }
  }
}

fn divide(left: u32, right: u32) -> u32 {
  let sign = (left ^ right) & SIGN;
  let x = left & MAGNITUDE;
  let z = right & MAGNITUDE;
  if (x > INFINITY || z > INFINITY || (x == z && (x == 0u || x == INFINITY))) { return NAN; }
  if (z == 0u || x == INFINITY) { return sign | INFINITY; }
  if (x == 0u || z == INFINITY) { return sign; }
  return bitcast<u32>(bitcast<f32>(left) / bitcast<f32>(right));
}

fn root(bits: u32) -> u32 {
  if ((bits & MAGNITUDE) == 0u || bits == INFINITY) { return bits; }
  if (bits > INFINITY) { return NAN; } // NaN, or negative: the sign is the highest bit
  return bitcast<u32>(sqrt(bitcast<f32>(bits)));
}
