// Weights as they are stored, read as f32: half precision comes two in a word, the first in the low bits. On bits,
// without shader-f16: subnormal numbers, infinities and NaN keep their values on every device.

/// Type of the stored numbers, see half.ts.
override STORED: u32;
const STORED_F32 = 0u;
const STORED_F16 = 1u;
const STORED_BF16 = 2u;

/// The word that holds an element.
fn word_of(element: u32) -> u32 {
  return select(element >> 1u, element, STORED == STORED_F32);
}

/// An element from its word.
fn element_in(word: u32, element: u32) -> f32 {
  if (STORED == STORED_F32) { return bitcast<f32>(word); }
  return widen(extractBits(word, (element & 1u) * 16u, 16u));
}

/// Both elements of a word of halves.
fn pair_in(word: u32) -> vec2f {
  return vec2f(widen(word & 0xffffu), widen(word >> 16u));
}

/// A half as f32.
fn widen(half: u32) -> f32 {
  if (STORED == STORED_BF16) { return bitcast<f32>(half << 16u); }
  let magnitude = half & 0x7fffu;
  // The exponent moves by the difference of the biases, by twice that for infinity and NaN.
  let shift = select(0x38000000u, 0x70000000u, magnitude >= 0x7c00u);
  let normal = (magnitude << 13u) + shift;
  let subnormal = bitcast<u32>(f32(magnitude) * 0x1p-24f);
  let bits = select(normal, subnormal, magnitude < 0x400u);
  return bitcast<f32>(bits | ((half & 0x8000u) << 16u));
}
