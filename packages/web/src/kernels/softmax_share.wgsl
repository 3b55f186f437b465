// Needs bits.wgsl and exponential.wgsl.

/// exp(x - largest) by their bits: 0 for minus infinity, and where the largest is not a number to compare with.
fn share_of(bits: u32, largest: u32) -> f32 {
  if (!is_finite(bits) || !is_finite(largest)) { return 0.0; }
  return exp_finite(bitcast<f32>(bits) - bitcast<f32>(largest));
}
