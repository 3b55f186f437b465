// Floats by their bit patterns: WGSL lets an implementation assume that there are neither NaN nor infinities, so
// whatever must get those right works on integers.

const SIGN = 0x80000000u;
const MAGNITUDE = 0x7fffffffu;
const INFINITY = 0x7f800000u;
const NAN = 0x7fc00000u;

fn is_nan(bits: u32) -> bool {
  return (bits & MAGNITUDE) > INFINITY;
}

fn is_finite(bits: u32) -> bool {
  return (bits & MAGNITUDE) < INFINITY;
}

/// The larger of two floats, NaN if either is; -0 is less than 0.
fn larger(left: u32, right: u32) -> u32 {
  if (is_nan(left) || is_nan(right)) { return NAN; }
  return select(right, left, ordered(left) > ordered(right));
}

/// Patterns in the order of their values.
fn ordered(bits: u32) -> u32 {
  return select(bits | SIGN, ~bits, (bits & SIGN) != 0u);
}
