// cast through the C ABI, bit for bit: the nearest value is found by search in
// the list of all values, not by the arithmetic of the kernels.
#include <algorithm>

#include "engine.hpp"

using namespace engine;

namespace {

/// The value of 16 bits with the given number of exponent bits, by definition.
double half_value(uint16_t bits, int exponent_bits) {
  const int mantissa_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp((1 << mantissa_bits) + mantissa, exponent - bias - mantissa_bits);
}

/// Nearest magnitude, ties to the even one; what is nearer to the next power
/// beyond the largest value than to that value is infinite.
uint16_t nearest_half(double x, int exponent_bits) {
  const auto sign = static_cast<uint16_t>(std::signbit(x) ? 0x8000 : 0);
  const auto infinity = static_cast<uint16_t>(((1 << exponent_bits) - 1) << (15 - exponent_bits));
  if (std::isnan(x)) return infinity + 1;
  const double magnitude = std::abs(x);
  uint16_t low = 0, high = infinity; // magnitudes rise with their bits
  while (high - low > 1) {
    const auto middle = static_cast<uint16_t>((low + high) / 2);
    (half_value(middle, exponent_bits) <= magnitude ? low : high) = middle;
  }
  const double below = half_value(low, exponent_bits);
  const double above = high < infinity ? half_value(high, exponent_bits) : std::ldexp(1.0, 1 << (exponent_bits - 1));
  const double down = magnitude - below, up = above - magnitude;
  const bool round_up = down > up || (down == up && (low & 1) != 0);
  return sign | (round_up && !std::isinf(magnitude) ? high : std::isinf(magnitude) ? infinity : low);
}

constexpr int half_bits(f2i_dtype dtype) { return dtype == F2I_F16 ? 5 : 8; }

/// A matrix of raw elements of any dtype.
struct Raw {
  f2i_dtype dtype;
  size_t size;
  std::vector<char> bytes;
};

size_t size_of(f2i_dtype dtype) {
  return dtype == F2I_F64 ? 8 : dtype == F2I_F32 || dtype == F2I_I32 ? 4 : dtype == F2I_U8 ? 1 : 2;
}

template <class T> void put(Raw &raw, T value) {
  const auto *const p = reinterpret_cast<const char *>(&value);
  raw.bytes.insert(raw.bytes.end(), p, p + sizeof value);
}

double value_at(const Raw &raw, size_t i) {
  const char *const p = raw.bytes.data() + i * raw.size;
  const auto load = [&](auto value) {
    std::memcpy(&value, p, sizeof value);
    return value;
  };
  switch (raw.dtype) {
  case F2I_F32: return load(float{});
  case F2I_F64: return load(double{});
  case F2I_I32: return load(int32_t{});
  case F2I_U8: return load(uint8_t{});
  default: return half_value(load(uint16_t{}), half_bits(raw.dtype));
  }
}

void put_converted(Raw &raw, double x) {
  const auto integer = [&](double least, double most) {
    return std::isnan(x) ? 0.0 : std::trunc(std::clamp(x, least, most));
  };
  switch (raw.dtype) {
  case F2I_F32: return put(raw, static_cast<float>(x));
  case F2I_F64: return put(raw, x);
  case F2I_I32: return put(raw, static_cast<int32_t>(integer(INT32_MIN, INT32_MAX)));
  case F2I_U8: return put(raw, static_cast<uint8_t>(integer(0, 255)));
  default: return put(raw, nearest_half(x, half_bits(raw.dtype)));
  }
}

/// Values that lie on, near and between what the narrow types hold.
Raw inputs(f2i_dtype dtype) {
  Raw raw{dtype, size_of(dtype), {}};
  if (dtype == F2I_F16 || dtype == F2I_BF16) {
    for (int bits = 0; bits < 65536; ++bits) put(raw, static_cast<uint16_t>(bits));
    return raw;
  }
  std::vector<double> values = {0.0, -0.0, INFINITY, -INFINITY, NAN, 0.5, 1.5, 2.5, -0.5, 255, 255.5, 256, 254.999,
                                2147483647.0, 2147483648.0, -2147483648.0, -2147483649.0, 2147483520.0, 65504, 65519.99,
                                65520, 65536, 1e-8, 2.98e-8, 3.4e38, 3.39e38, 1e39, -1e300, 1e-300, 5e-324, 1e-45};
  std::mt19937_64 generator(60);
  for (int i = 0; i < 6000; ++i) {
    const auto bits = static_cast<uint16_t>(generator());
    for (const int exponent_bits : {5, 8}) { // the middle of two neighbours, and a bit beside it
      const double low = half_value(bits, exponent_bits), high = half_value(static_cast<uint16_t>(bits + 1), exponent_bits);
      const double middle = (low + high) / 2;
      if (!std::isfinite(middle)) continue;
      values.insert(values.end(), {middle, std::nextafter(middle, INFINITY), std::nextafter(middle, -INFINITY),
                                   static_cast<double>(std::nextafterf(static_cast<float>(middle), INFINITY))});
    }
    values.push_back(static_cast<double>(static_cast<int32_t>(generator())));
    values.push_back(static_cast<double>(generator() % 300));
  }
  for (const double value : values) put_converted(raw, value);
  return raw;
}

const char *const dtype_names[] = {"f32", "f64", "f16", "bf16", "i32", "u8"};

void check_cast(f2i_dtype from, f2i_dtype to, int64_t rows) {
  const Raw x = inputs(from);
  const auto count = static_cast<int64_t>(x.bytes.size() / x.size);
  const int64_t cols = count / rows;
  Raw expected{to, size_of(to), {}};
  for (int64_t i = 0; i < rows * cols; ++i) put_converted(expected, value_at(x, static_cast<size_t>(i)));
  for (f2i_isa isa = F2I_ISA_PORTABLE; isa <= f2i_best_isa(); ++isa) {
    const Engine engine(isa, 2);
    f2i_buffer *const dx = engine.create(x.bytes.size()), *const dy = engine.create(expected.bytes.size());
    ok(f2i_buffer_write(engine, dx, 0, x.bytes.data(), x.bytes.size()));
    f2i_cast_args args = F2I_INIT(f2i_cast_args);
    args.x = {dx, 0, rows, cols, cols, from, 0};
    args.y = {dy, 0, rows, cols, cols, to, 0};
    ok(f2i_cast(engine, &args));
    Raw found{to, size_of(to), std::vector<char>(expected.bytes.size())};
    ok(f2i_buffer_read(engine, dy, 0, found.bytes.data(), found.bytes.size()));
    ok(f2i_sync(engine, nullptr));
    for (size_t i = 0; i < static_cast<size_t>(rows * cols); ++i) {
      const bool same = std::memcmp(found.bytes.data() + i * found.size, expected.bytes.data() + i * found.size, found.size) == 0;
      if (same || (std::isnan(value_at(found, i)) && std::isnan(value_at(expected, i)))) continue;
      char text[200];
      std::snprintf(text, sizeof text, "cast %s to %s [%s]: %.17g became %.17g, expected %.17g", dtype_names[from],
                    dtype_names[to], name_of(isa), value_at(x, i), value_at(found, i), value_at(expected, i));
      check::report(false, __FILE__, __LINE__, text);
      break;
    }
    ok(f2i_buffer_destroy(engine, dx));
    ok(f2i_buffer_destroy(engine, dy));
  }
}

} // namespace

TEST(every_pair_of_types) {
  for (f2i_dtype from = F2I_F32; from <= F2I_U8; ++from)
    for (f2i_dtype to = F2I_F32; to <= F2I_U8; ++to) check_cast(from, to, 7);
}

CHECK_MAIN();
