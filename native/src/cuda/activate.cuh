// The functions of f2i_activation_kind. The kind is known at run time: one
// branch, the same for all threads, beside a read and a write of memory.
#pragma once

#include "cuda/number.cuh"

namespace f2i::cuda {

/// x / (1 + exp(-z)), by an exponential that does not overflow.
template <class T> __device__ __forceinline__ T over_one_plus_exp(T x, T z) {
  const T e = exponential(z < T(0) ? z : -z);
  return (z < T(0) ? x * e : x) / (T(1) + e);
}

/// erfc(t / sqrt(2)) / 2, the upper tail of the normal distribution, for t >= 0: exp(-t^2 / 2) times a
/// polynomial in (t - 3) / (t + 3) over t + 3, as on the processor (cpu/activate.inc). erfcf of a rounded
/// t / sqrt(2) loses 2 t^2 units in the last place. The square of t is split, so that exp sees a small
/// rounding error alone.
__device__ __forceinline__ float normal_tail(float x) {
  const float t = x < 14.5f ? x : 14.5f;
  const float inverse = 1.0f / (t + 3.0f), u = (t - 3.0f) * inverse;
  float p = 5.396032839254381e-05f;
  p = fused(p, u, 1.306240679163144e-04f);
  p = fused(p, u, -2.441998010844652e-04f);
  p = fused(p, u, -1.0317242292509827e-03f);
  p = fused(p, u, 1.0245710562643954e-03f);
  p = fused(p, u, 6.968959703537837e-03f);
  p = fused(p, u, -1.0462485277852927e-02f);
  p = fused(p, u, -4.726263275682121e-02f);
  p = fused(p, u, 2.30017697402321e-01f);
  p = fused(p, u, -5.093319937772554e-01f);
  p = fused(p, u, 7.290836904134239e-01f);
  const float high = float_of(bits_of(t) & 0xfffff000u); // its square is exact
  const float low = (t - high) * (t + high);
  return exponential(-0.5f * high * high) * exponential(-0.5f * low) * p * inverse;
}
__device__ __forceinline__ double normal_tail(double t) { return 0.5 * erfc(t * 0.70710678118654752440); }

template <class T> __device__ __forceinline__ T activate(f2i_activation_kind kind, T x) {
  switch (kind) {
  case F2I_RELU: return x < T(0) ? T(0) : x; // NaN stays
  case F2I_SILU: return over_one_plus_exp(x, x);
  case F2I_GELU_ERF: {
    const T tail = normal_tail(x < T(0) ? -x : x);
    return x * (x < T(0) ? tail : T(1) - tail);
  }
  case F2I_GELU_TANH: // (1 + tanh(z)) / 2 = 1 / (1 + exp(-2 z))
    return over_one_plus_exp(x, x * (T(1.5957691216057308) + T(0.07135481627260025) * x * x));
  case F2I_GELU_QUICK: return over_one_plus_exp(x, T(1.702) * x);
  default: return x;
  }
}

} // namespace f2i::cuda
