// The activation functions of networks, to float precision; needs bits.wgsl and exponential.wgsl.

const NO_ACTIVATION = 0u;
const RELU = 1u;
const SILU = 2u;
const GELU_ERF = 3u;
const GELU_TANH = 4u;
const GELU_QUICK = 5u;

/// The function of that kind (see activate.ts) of x.
fn activate(kind: u32, x: f32) -> f32 {
  if (kind == NO_ACTIVATION) { return x; }
  let bits = bitcast<u32>(x);
  if (!is_finite(bits)) { return bitcast<f32>(activate_special(kind, bits)); }
  // Beyond, the functions are 0 or x, and a cube would overflow.
  let z = clamp(x, -150.0, 150.0);
  switch (kind) {
    case RELU: { return max(x, 0.0); }
    case SILU: { return x * logistic(z); }
    case GELU_ERF: { return x * normal_below(z); }
    // (1 + tanh(z)) / 2 = 1 / (1 + exp(-2 z))
    case GELU_TANH: { return x * logistic(z * (1.5957691216 + 0.0713548163 * z * z)); }
    case GELU_QUICK: { return x * logistic(1.702 * z); }
    default: { return x; }
  }
}

/// Infinity stays, minus infinity is 0 times infinity except for relu, NaN stays.
fn activate_special(kind: u32, bits: u32) -> u32 {
  if (bits == INFINITY) { return INFINITY; }
  return select(NAN, 0u, kind == RELU && bits == (SIGN | INFINITY));
}

/// 1 / (1 + exp(-z)), by an exponential that does not overflow.
fn logistic(z: f32) -> f32 {
  let e = exp_finite(-abs(z));
  return select(1.0, e, z < 0.0) / (1.0 + e);
}

/// The share of the normal distribution below x, (1 + erf(x / sqrt 2)) / 2, without cancellation for negative x.
fn normal_below(x: f32) -> f32 {
  let tail = normal_tail(abs(x));
  return select(1.0 - tail, tail, x < 0.0);
}

/// erfc(t / sqrt 2) / 2 for t >= 0: exp(-t^2 / 2) times a polynomial in (t - 3) / (t + 3) over t + 3, fitted to 1.3e-9
/// at Chebyshev nodes on 0 <= t <= 14.5, where the tail vanishes. The square of t is split, so that exp sees a small
/// rounding error alone.
fn normal_tail(x: f32) -> f32 {
  let t = min(x, 14.5);
  let inverse = 1.0 / (t + 3.0);
  let u = (t - 3.0) * inverse;
  var p = 5.396032839254381e-05;
  p = p * u + 1.306240679163144e-04;
  p = p * u - 2.441998010844652e-04;
  p = p * u - 1.0317242292509827e-03;
  p = p * u + 1.0245710562643954e-03;
  p = p * u + 6.968959703537837e-03;
  p = p * u - 1.0462485277852927e-02;
  p = p * u - 4.726263275682121e-02;
  p = p * u + 2.30017697402321e-01;
  p = p * u - 5.093319937772554e-01;
  p = p * u + 7.290836904134239e-01;
  let high = bitcast<f32>(bitcast<u32>(t) & 0xfffff000u); // its square is exact
  let low = (t - high) * (t + high);
  return exp_finite(-0.5 * high * high) * exp_finite(-0.5 * low) * p * inverse;
}
