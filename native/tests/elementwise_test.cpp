// elementwise through the C ABI against the obvious loops.
#include "engine.hpp"

using namespace engine;

namespace {

const f2i_elementwise_kind kinds[] = {F2I_ADD, F2I_SUB, F2I_MUL,  F2I_DIV,    F2I_MAX, F2I_MIN,
                                      F2I_NEG, F2I_ABS, F2I_SQRT, F2I_SQUARE, F2I_EXP, F2I_LOG};

double apply(f2i_elementwise_kind kind, double a, double b) {
  switch (kind) {
  case F2I_ADD: return a + b;
  case F2I_SUB: return a - b;
  case F2I_MUL: return a * b;
  case F2I_DIV: return a / b;
  case F2I_MAX: return std::isnan(a) || std::isnan(b) ? NAN : std::max(a, b);
  case F2I_MIN: return std::isnan(a) || std::isnan(b) ? NAN : std::min(a, b);
  case F2I_NEG: return -a;
  case F2I_ABS: return std::abs(a);
  case F2I_SQRT: return std::sqrt(a);
  case F2I_SQUARE: return a * a;
  case F2I_EXP: return std::exp(a);
  default: return std::log(a);
  }
}

/// On 32-bit integers, which wrap around.
int32_t apply(f2i_elementwise_kind kind, int32_t a, int32_t b) {
  const auto wide = [&](int64_t x) { return static_cast<int32_t>(static_cast<uint32_t>(x)); };
  const int64_t p = a, q = b;
  switch (kind) {
  case F2I_ADD: return wide(p + q);
  case F2I_SUB: return wide(p - q);
  case F2I_MUL: return wide(p * q);
  case F2I_MAX: return std::max(a, b);
  case F2I_MIN: return std::min(a, b);
  case F2I_NEG: return wide(-p);
  case F2I_ABS: return wide(std::abs(p));
  default: return wide(p * p);
  }
}

bool on_integers(f2i_elementwise_kind kind) {
  return kind != F2I_DIV && kind != F2I_SQRT && kind != F2I_EXP && kind != F2I_LOG;
}

template <class T> Matrix<T> operand(int64_t rows, int64_t cols, Place place, unsigned seed) {
  Matrix<T> x(rows, cols, place);
  if constexpr (std::is_integral_v<T>) {
    std::mt19937 generator(seed);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < cols; ++j) x(i, j) = static_cast<T>(generator());
    x(0, 0) = std::numeric_limits<T>::min();
  } else {
    x.random(seed, 10);
    const T specials[] = {0, -T(0), std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
                          std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::denorm_min(),
                          std::numeric_limits<T>::max(), std::numeric_limits<T>::min(), T(-104), T(89), T(-746), T(710)};
    for (int64_t i = 0; i < rows * cols; i += 7) x(i / cols, i % cols) = specials[static_cast<size_t>(i / 7) % 12];
  }
  return x;
}

template <class T>
void check_elementwise(f2i_elementwise_kind kind, int64_t rows, int64_t cols, int shape, bool in_place, Place place) {
  const int64_t b_rows = shape & 1 ? 1 : rows, b_cols = shape & 2 ? 1 : cols;
  const bool with_b = shape < 4;
  const double scalar = std::is_integral_v<T> ? 12345 : 1.5;
  const Matrix<T> a = operand<T>(rows, cols, place, 40), b = operand<T>(b_rows, b_cols, {1, 2}, 41);
  std::vector<double> expected, scale;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) {
      const T other = with_b ? b(b_rows == 1 ? 0 : i, b_cols == 1 ? 0 : j) : static_cast<T>(scalar);
      // As the type stores it: 1e300 is infinite in f32.
      double value = 0;
      if constexpr (std::is_integral_v<T>) {
        value = apply(kind, a(i, j), other);
      } else {
        value = static_cast<double>(static_cast<T>(apply(kind, static_cast<double>(a(i, j)), static_cast<double>(other))));
      }
      expected.push_back(value);
      // exp and log may be a few units in the last place off; the rest is exact.
      scale.push_back(std::max(std::abs(value), static_cast<double>(std::numeric_limits<T>::min())));
    }
  }
  const double tolerance = kind == F2I_EXP || kind == F2I_LOG ? 4 * epsilon<T> : 0;
  everywhere<T>(
      "elementwise kind " + std::to_string(kind) + " " + std::to_string(rows) + "x" + std::to_string(cols) + ", b " +
          std::to_string(b_rows) + "x" + std::to_string(b_cols) + (with_b ? "" : " scalar"),
      [&](const Engine &engine) {
        const Device<T> da(engine, a), db(engine, b), dy(engine, Matrix<T>(rows, cols, {2, 1}));
        const Device<T> &target = in_place ? da : dy;
        f2i_elementwise_args args = F2I_INIT(f2i_elementwise_args);
        args.kind = kind;
        args.scalar = scalar;
        args.a = da;
        if (with_b) args.b = db;
        args.y = target;
        ok(f2i_elementwise(engine, &args));
        return target.download().elements();
      },
      [&](const std::vector<T> &found) { return compare(found, expected, tolerance, scale); });
}

template <class T> void check_all() {
  int variant = 0;
  for (const f2i_elementwise_kind kind : kinds) {
    if (std::is_integral_v<T> && !on_integers(kind)) continue;
    for (const auto &[rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {5, 7}, {33, 65}, {300, 250}}) {
      check_elementwise<T>(kind, rows, cols, variant % 5, variant % 2 == 1, variant % 3 == 0 ? Place{} : Place{3, 1});
      ++variant;
    }
  }
}

} // namespace

TEST(elementwise_f32) { check_all<float>(); }
TEST(elementwise_f64) { check_all<double>(); }
TEST(elementwise_i32) { check_all<int32_t>(); }

TEST(every_broadcast_of_b) {
  for (int shape = 0; shape < 5; ++shape) check_elementwise<float>(F2I_SUB, 40, 70, shape, false, {});
}

CHECK_MAIN();
