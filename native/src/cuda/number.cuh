// Storage types of half precision, conversions by the rules of cast, and the
// few functions that GPU and shim spell differently.
#pragma once

#include "cuda/kernel.cuh"

namespace f2i::cuda {

struct F16 {
  uint16_t bits;
};
struct Bf16 {
  uint16_t bits;
};

__device__ __forceinline__ uint32_t bits_of(float x) { return __float_as_uint(x); }
__device__ __forceinline__ float float_of(uint32_t bits) { return __uint_as_float(bits); }

__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ double widen(double x) { return x; }
__device__ __forceinline__ float widen(Bf16 x) { return float_of(static_cast<uint32_t>(x.bits) << 16); }
/// A multiplication by 2^112 moves the exponent from the bias of f16 to that of f32 and normalises subnormals.
__device__ __forceinline__ float widen(F16 x) {
  const uint32_t magnitude = static_cast<uint32_t>(x.bits & 0x7fff) << 13;
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000) << 16;
  const uint32_t finite = bits_of(float_of(magnitude) * 0x1p112f);
  return float_of((magnitude >= 0x0f800000u ? magnitude | 0x7f800000u : finite) | sign);
}

/// Rounded to nearest, ties to even.
__device__ __forceinline__ Bf16 narrow(float x, Bf16) {
  const uint32_t bits = bits_of(x);
  const uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1);
  const uint32_t result = x == x ? rounded : bits | 0x00400000u; // a NaN stays one, quiet
  return {static_cast<uint16_t>(result >> 16)};
}
/// Subnormal results are rounded by adding 0.5, whose last place is that of f16's subnormals.
__device__ __forceinline__ F16 narrow(float x, F16) {
  const uint32_t bits = bits_of(x), magnitude = bits & 0x7fffffffu;
  const uint32_t normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1)) >> 13;
  const uint32_t subnormal = bits_of(float_of(magnitude) + 0.5f) - 0x3f000000u;
  const uint32_t finite = magnitude < 0x38800000u ? subnormal : normal;
  const uint32_t bounded = magnitude >= 0x477ff000u ? 0x7c00u : finite; // 65520 and more is infinity
  const uint32_t result = magnitude > 0x7f800000u ? 0x7e00u | ((magnitude >> 13) & 0x1ffu) : bounded;
  return {static_cast<uint16_t>(result | ((bits >> 16) & 0x8000u))};
}
/// x as an f32 whose last bit is 1 unless x is exact: rounding it again is then rounding once
/// (Boldo and Melquiond 2008, "Emulation of FMA and correctly rounded sums").
__device__ __forceinline__ float to_odd(double x) {
  const float nearest = static_cast<float>(x);
  const double back = static_cast<double>(nearest);
  const uint32_t bits = bits_of(nearest);
  if (back == x || x != x || (bits & 1) != 0) return nearest;
  const double magnitude = x < 0 ? -x : x, back_magnitude = back < 0 ? -back : back;
  return float_of(back_magnitude < magnitude ? bits + 1 : bits - 1);
}
/// Truncated and saturated; NaN is 0.
template <class T> __device__ __forceinline__ int32_t truncate(T x, int32_t) {
  if (!(x == x)) return 0;
  if (x >= T(2147483648.0)) return 2147483647;
  if (x <= T(-2147483648.0)) return -2147483647 - 1;
  return static_cast<int32_t>(x);
}
template <class T> __device__ __forceinline__ uint8_t truncate(T x, uint8_t) {
  if (!(x > T(0))) return 0; // NaN too
  return static_cast<uint8_t>(x > T(255) ? 255 : static_cast<int32_t>(x));
}

/// From S to D.
template <class D, class S> __device__ __forceinline__ D convert(S x) {
  constexpr bool half_from = std::is_same_v<S, F16> || std::is_same_v<S, Bf16>;
  constexpr bool half_to = std::is_same_v<D, F16> || std::is_same_v<D, Bf16>;
  if constexpr (std::is_same_v<D, S>) {
    return x;
  } else if constexpr (half_from) {
    return convert<D>(widen(x));
  } else if constexpr (half_to) {
    if constexpr (std::is_same_v<S, double> || std::is_same_v<S, int32_t>) {
      return narrow(to_odd(static_cast<double>(x)), D());
    } else {
      return narrow(static_cast<float>(x), D());
    }
  } else if constexpr (std::is_floating_point_v<S> && std::is_integral_v<D>) {
    return truncate(x, D());
  } else if constexpr (std::is_same_v<S, int32_t> && std::is_same_v<D, uint8_t>) {
    return static_cast<uint8_t>(x < 0 ? 0 : x > 255 ? 255 : x);
  } else {
    return static_cast<D>(x);
  }
}

template <class T> __device__ __forceinline__ T infinity() {
  if constexpr (sizeof(T) == 4) return float_of(0x7f800000u);
  else return __longlong_as_double(0x7ff0000000000000ll);
}
template <class T> __device__ __forceinline__ T not_a_number() {
  if constexpr (sizeof(T) == 4) return float_of(0x7fc00000u);
  else return __longlong_as_double(0x7ff8000000000000ll);
}
template <class T> __device__ __forceinline__ bool is_finite(T x) { return x - x == T(0); }

__device__ __forceinline__ float exponential(float x) { return expf(x); }
__device__ __forceinline__ double exponential(double x) { return exp(x); }
__device__ __forceinline__ float logarithm(float x) { return logf(x); }
__device__ __forceinline__ double logarithm(double x) { return log(x); }
__device__ __forceinline__ float root(float x) { return sqrtf(x); }
__device__ __forceinline__ double root(double x) { return sqrt(x); }
__device__ __forceinline__ float fused(float a, float b, float c) { return fmaf(a, b, c); }
__device__ __forceinline__ double fused(double a, double b, double c) { return fma(a, b, c); }

} // namespace f2i::cuda
