// Conversion of element types on bit patterns alone: exact for every value, whether or not the device keeps
// subnormal numbers or can do arithmetic in 16 bits. An invocation makes one word of the result.

struct Params {
  first: u32, count: u32, stride: u32,
  // Elements to convert; the first of x in its window, and of y, which begins a word.
  elements: u32, x: u32, y: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> x: array<u32>;
@group(1) @binding(1) var<storage, read_write> y: array<u32>;

override FROM: u32;
override TO: u32;

const F32 = 0u;
const F16 = 1u;
const BF16 = 2u;
const I32 = 3u;
const U8 = 4u;

/// A finite number: (-1)^sign m 2^(e - 31), the highest bit of m set; m = 0 for zero.
struct Number {
  sign: u32,
  e: i32,
  m: u32,
  // 0 finite, 1 infinite, 2 NaN
  special: u32,
}

fn per_word(dtype: u32) -> u32 {
  switch (dtype) {
    case F16, BF16: { return 2u; }
    case U8: { return 4u; }
    default: { return 1u; }
  }
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let item = item_of(id);
  if (is_outside(item)) { return; }
  let count = per_word(TO);
  let width = 32u / count;
  var word = 0u;
  for (var i = 0u; i < count; i++) {
    let element = item * count + i;
    if (element < p.elements) { word |= encode(decode(load(p.x + element))) << (i * width); }
  }
  y[p.y / count + item] = word;
}

fn load(element: u32) -> u32 {
  let count = per_word(FROM);
  let word = x[element / count];
  if (count == 1u) { return word; }
  let width = 32u / count;
  return extractBits(word, (element % count) * width, width);
}

fn decode(bits: u32) -> Number {
  switch (FROM) {
    case F16: { return from_float(bits, 5u, 10u); }
    case BF16: { return from_float(bits, 8u, 7u); }
    case I32: {
      let negative = (bits & SIGN) != 0u;
      return normalised(u32(negative), 31, select(bits, 0u - bits, negative));
    }
    case U8: { return normalised(0u, 31, bits); }
    default: { return from_float(bits, 8u, 23u); }
  }
}

fn normalised(sign: u32, e: i32, m: u32) -> Number {
  if (m == 0u) { return Number(sign, 0, 0u, 0u); }
  let shift = countLeadingZeros(m);
  return Number(sign, e - i32(shift), m << shift, 0u);
}

fn from_float(bits: u32, exponent_bits: u32, mantissa_bits: u32) -> Number {
  let sign = bits >> (exponent_bits + mantissa_bits);
  let biased = extractBits(bits, mantissa_bits, exponent_bits);
  let fraction = extractBits(bits, 0u, mantissa_bits);
  let most = (1u << exponent_bits) - 1u;
  if (biased == most) { return Number(sign, 0, 0u, select(1u, 2u, fraction != 0u)); }
  let bias = i32(most >> 1u);
  let e = i32(max(biased, 1u)) - bias + 31 - i32(mantissa_bits);
  return normalised(sign, e, fraction | (min(biased, 1u) << mantissa_bits));
}

fn encode(number: Number) -> u32 {
  switch (TO) {
    case F16: { return to_float(number, 5u, 10u); }
    case BF16: { return to_float(number, 8u, 7u); }
    case I32: { return to_i32(number); }
    case U8: { return u32(clamp(bitcast<i32>(to_i32(number)), 0, 255)); }
    default: { return to_float(number, 8u, 23u); }
  }
}

/// The nearest value, ties to even; beyond the largest, infinity.
fn to_float(number: Number, exponent_bits: u32, mantissa_bits: u32) -> u32 {
  let infinity = ((1u << exponent_bits) - 1u) << mantissa_bits;
  if (number.special == 2u) { return infinity | (1u << (mantissa_bits - 1u)); }
  let sign = number.sign << (exponent_bits + mantissa_bits);
  if (number.special == 1u) { return sign | infinity; }
  if (number.m == 0u) { return sign; }
  let bias = i32((1u << (exponent_bits - 1u)) - 1u);
  var drop = 31u - mantissa_bits;
  // The leading bit of the kept ones adds one exponent step; a subnormal number lacks it.
  var steps = number.e + bias - 1;
  if (steps < 0) {
    drop += u32(-steps);
    steps = 0;
  }
  if (drop > 32u) { return sign; }
  if (drop == 32u) { return sign | select(0u, 1u, number.m > SIGN); }
  let kept = number.m >> drop;
  let rest = number.m & ((1u << drop) - 1u);
  let half = 1u << (drop - 1u);
  let up = rest > half || (rest == half && (kept & 1u) == 1u);
  return sign | min(infinity, (u32(steps) << mantissa_bits) + kept + u32(up));
}

/// Truncated towards zero, clamped to the range; 0 for NaN.
fn to_i32(number: Number) -> u32 {
  if (number.special == 2u || (number.special == 0u && (number.m == 0u || number.e < 0))) { return 0u; }
  if (number.special == 1u || number.e >= 31) { return select(MAGNITUDE, SIGN, number.sign == 1u); }
  let magnitude = number.m >> u32(31 - number.e);
  return select(magnitude, 0u - magnitude, number.sign == 1u);
}
