// Bytes of any element type as doubles, and how errors are measured.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "f2i/f2i.h"

namespace replay {

template <class T> T load(const char *bytes, uint64_t i) {
  T value;
  std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
  return value;
}

/// IEEE 754 binary16.
inline double from_half(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double magnitude = exponent == 31 ? (fraction != 0 ? NAN : INFINITY)
                           : exponent == 0 ? std::ldexp(fraction, -24)
                                           : std::ldexp(1024 + fraction, exponent - 25);
  return bits >> 15 != 0 ? -magnitude : magnitude;
}

/// The upper half of an f32.
inline double from_bfloat(uint16_t bits) {
  const uint32_t word = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &word, sizeof value);
  return static_cast<double>(value);
}

/// Element i of some bytes.
inline double value_at(const char *bytes, f2i_dtype dtype, uint64_t i) {
  switch (dtype) {
  case F2I_F64: return load<double>(bytes, i);
  case F2I_F16: return from_half(load<uint16_t>(bytes, i));
  case F2I_BF16: return from_bfloat(load<uint16_t>(bytes, i));
  case F2I_I32: return load<int32_t>(bytes, i);
  case F2I_U8: return load<uint8_t>(bytes, i);
  default: return static_cast<double>(load<float>(bytes, i));
  }
}

/// Half the distance from 1 to the next number; integers have none.
inline double unit_roundoff(f2i_dtype dtype) {
  switch (dtype) {
  case F2I_F32: return std::ldexp(1, -24);
  case F2I_F64: return std::ldexp(1, -53);
  case F2I_F16: return std::ldexp(1, -11);
  case F2I_BF16: return std::ldexp(1, -8);
  default: return 0;
  }
}

/// Error over tolerance of one number. A NaN or an infinity must be matched by the same.
inline double error_over(double expected, double actual, double tolerance) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (std::isnan(expected)) return std::isnan(actual) ? 0 : infinity;
  if (actual == expected) return 0;
  const double ratio = std::abs(actual - expected) / tolerance;
  return std::isnan(ratio) ? infinity : ratio;
}

} // namespace replay
