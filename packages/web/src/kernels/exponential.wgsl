// exp and log on bit patterns, NaN and infinities among them; needs bits.wgsl.

/// exp(x) of the float with these bits.
fn exponential(bits: u32) -> u32 {
  if (is_nan(bits)) { return NAN; }
  let x = bitcast<f32>(bits);
  if (x > 88.7228317) { return INFINITY; }
  if (x < -103.972076) { return 0u; }
  return bitcast<u32>(exp_finite(x));
}

/// exp of a finite x of at most 88.72, 0 far below, by x = n log 2 + r and a polynomial in r (Cephes, expf): the built-in may err by
/// 3 + 2 |x| ulp.
fn exp_finite(x: f32) -> f32 {
  let z = max(x, -104.0);
  let n = floor(z * 1.44269504 + 0.5);
  // log 2 in two parts: n times the first is exact.
  let r = (z - n * 0.693359375) + n * 2.12194440e-4;
  var q = 1.9875691500e-4;
  q = q * r + 1.3981999507e-3;
  q = q * r + 8.3334519073e-3;
  q = q * r + 4.1665795894e-2;
  q = q * r + 1.6666665459e-1;
  q = q * r + 5.0000001201e-1;
  let value = (q * r * r + r) + 1.0;
  // In two steps, as 2^n itself need not be a normal number.
  let half = i32(n) / 2;
  return value * power_of_two(half) * power_of_two(i32(n) - half);
}

fn power_of_two(n: i32) -> f32 {
  return bitcast<f32>(u32(n + 127) << 23u);
}

/// log by x = 2^e m with m around 1 and a polynomial in m - 1 (Cephes, logf).
fn logarithm(bits: u32) -> u32 {
  if ((bits & MAGNITUDE) == 0u) { return SIGN | INFINITY; }
  if (bits > INFINITY) { return NAN; }
  if (bits == INFINITY) { return INFINITY; }
  var pattern = bits;
  var e = -126;
  if (pattern < 0x800000u) {
    // Subnormal: normalised as an integer, since arithmetic on it may flush to zero.
    let shift = countLeadingZeros(pattern) - 8u;
    pattern <<= shift;
    e -= i32(shift);
  } else {
    e += i32(pattern >> 23u) - 1;
  }
  var m = bitcast<f32>((pattern & 0x7fffffu) | 0x3f000000u); // in [1/2, 1)
  e += 1;
  if (m < 0.707106781) {
    m += m;
    e -= 1;
  }
  let x = m - 1.0;
  let z = x * x;
  var q = 7.0376836292e-2;
  q = q * x - 1.1514610310e-1;
  q = q * x + 1.1676998740e-1;
  q = q * x - 1.2420140846e-1;
  q = q * x + 1.4249322787e-1;
  q = q * x - 1.6668057665e-1;
  q = q * x + 2.0000714765e-1;
  q = q * x - 2.4999993993e-1;
  q = q * x + 3.3333331174e-1;
  let n = f32(e);
  let low = q * x * z - n * 2.12194440e-4 - 0.5 * z;
  return bitcast<u32>((x + low) + n * 0.693359375);
}
