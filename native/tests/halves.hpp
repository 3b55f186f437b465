// Operands of products in f32, f16 and bf16 for tests, and what precisions of products make of them.
#pragma once

#include "engine.hpp"

namespace engine {

/// x rounded to `bits` of mantissa after the first, ties to even (away from zero where `away`); f16's subnormals too.
inline double rounded(double x, int bits, bool away = false, int least = -1000) {
  if (x == 0 || !std::isfinite(x)) return x;
  const int exponent = std::max(std::ilogb(x), least);
  const double unit = std::ldexp(1.0, exponent - bits), scaled = x / unit;
  return unit * (away ? std::round(scaled) : std::nearbyint(scaled));
}
inline double rounded_to(f2i_precision precision, double x) {
  switch (precision) {
  case F2I_PRECISION_TF32: return rounded(x, 10, true);
  case F2I_PRECISION_BF16: return rounded(x, 7);
  case F2I_PRECISION_F16: return rounded(x, 10, false, -14);
  default: return x;
  }
}
inline f2i_precision precision_of(f2i_dtype half) { return half == F2I_F16 ? F2I_PRECISION_F16 : F2I_PRECISION_BF16; }

inline uint16_t bits_of(f2i_dtype half, double x) { // of a number that the type has
  const float value = static_cast<float>(x);
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  if (half == F2I_BF16) return static_cast<uint16_t>(bits >> 16);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const double size = std::abs(x);
  if (size < std::ldexp(1.0, -14)) return sign | static_cast<uint16_t>(std::ldexp(size, 24));
  const int exponent = std::ilogb(size);
  return static_cast<uint16_t>(sign | (exponent + 15) << 10 | static_cast<int>(std::ldexp(size, 10 - exponent) - 1024));
}

struct Operand {
  f2i_dtype type;
  Matrix<float> values; // as stored
  Matrix<uint16_t> halves;

  Operand(f2i_dtype dtype, int64_t rows, int64_t cols, Place place, unsigned seed)
      : type(dtype), values(rows, cols, place), halves(dtype == F2I_F32 ? 0 : rows, cols, place) {
    values.random(seed);
    if (type == F2I_F32) return;
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) {
        values(i, j) = static_cast<float>(rounded_to(precision_of(type), static_cast<double>(values(i, j))));
        halves(i, j) = bits_of(type, static_cast<double>(values(i, j)));
      }
    }
  }
};
struct OnDevice {
  Device<float> full;
  Device<uint16_t> half;
  f2i_dtype type;
  OnDevice(const Engine &engine, const Operand &x) : full(engine, x.values), half(engine, x.halves), type(x.type) {}
  f2i_matrix view() const {
    if (type == F2I_F32) return full;
    f2i_matrix view = half;
    view.dtype = type;
    return view;
  }
};

/// Has the tests' device tensor cores that round?
inline bool rounds() {
  if (test_device() == F2I_DEVICE_CPU) return false;
  f2i_device_info info = F2I_INIT(f2i_device_info);
  ok(f2i_device_describe(test_device(), 0, nullptr, &info));
  return info.capability >= 80;
}

/// What f32 operands are rounded to: their own, or beside a half type that type.
inline f2i_precision effective(f2i_precision wanted, f2i_dtype a, f2i_dtype b) {
  if (!rounds() || (a != F2I_F32 && b != F2I_F32)) return F2I_PRECISION_F32;
  const f2i_dtype half = a != F2I_F32 ? a : b;
  return half == F2I_F32 || wanted < F2I_PRECISION_BF16 ? wanted : precision_of(half);
}

} // namespace engine
