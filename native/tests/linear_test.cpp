// linear through the C ABI against the obvious loops in double: every type of weight, shards,
// activations, few and many rows.
#include <memory>

#include "engine.hpp"

using namespace engine;

namespace {

struct Case {
  int64_t m, n, k;
};

// Around the register tiles of both ways (few rows: dot products; many rows: packed blocks), sums
// longer than a chain, and products large enough to be cut among threads.
const Case cases[] = {{1, 1, 1},    {1, 130, 70},   {2, 7, 33},     {3, 200, 1700}, {4, 49, 16},   {5, 23, 100},
                      {8, 33, 515}, {9, 50, 64},    {16, 70, 9000}, {17, 3, 40},    {17, 65, 129}, {40, 7, 300},
                      {65, 300, 1}, {100, 270, 500}};

enum class Weight { f32, f16, bf16, f64 };
const char *const weight_names[] = {"f32", "f16", "bf16", "f64"};
const f2i_dtype weight_types[] = {F2I_F32, F2I_F16, F2I_BF16, F2I_F64};

double value_of_half(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double size = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return bits & 0x8000 ? -size : size;
}

double value_of_bfloat(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

/// x / (1 + exp(-z)), where exp does not overflow.
double gated(double x, double z) { return z < 0 ? x * std::exp(z) / (1 + std::exp(z)) : x / (1 + std::exp(-z)); }

double activate(int kind, double x) {
  switch (kind) {
  case F2I_RELU: return std::max(x, 0.0);
  case F2I_SILU: return gated(x, x);
  case F2I_GELU_ERF: return x * std::erfc(-x * std::sqrt(0.5)) / 2;
  case F2I_GELU_TANH: return gated(x, 2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x));
  case F2I_GELU_QUICK: return gated(x, 1.702 * x);
  default: return x;
  }
}

/// S: how a weight is held by the caller.
template <class T, class S> void check_linear(const Case &s, Weight type, int variant) {
  const int shards = 1 + variant % 3, kind = variant % 6;
  const bool with_bias = variant % 2 == 0, with_residual = variant % 4 >= 2;
  const Place places[] = {{0, 0}, {3, 5}, {16, 0}, {1, 2}};
  const auto place = [&](int i) { return places[(variant + i) % 4]; };
  const Matrix<T> x = Matrix<T>(s.m, s.k, place(0)).random(1);
  const Matrix<T> bias = Matrix<T>(1, s.n, place(1)).random(2), residual = Matrix<T>(s.m, s.n, place(2)).random(3);

  std::vector<Matrix<S>> weights;
  std::vector<double> values; // [n, k]
  for (int shard = 0; shard < shards; ++shard) {
    const int64_t first = s.n * shard / shards, end = s.n * (shard + 1) / shards;
    Matrix<S> w(end - first, s.k, place(shard));
    if constexpr (sizeof(S) == 2) {
      // Every pattern but infinities and NaN; subnormal numbers are among them.
      std::mt19937 generator(static_cast<unsigned>(100 + shard));
      for (int64_t i = 0; i < w.rows; ++i) {
        for (int64_t j = 0; j < w.cols; ++j) {
          const unsigned bits = static_cast<unsigned>(generator());
          const unsigned exponent = type == Weight::f16 ? (bits >> 8) % 17 << 10 : (110 + (bits >> 8) % 18) << 7;
          w(i, j) = static_cast<S>((bits & (type == Weight::f16 ? 0x83ff : 0x807f)) | exponent);
        }
      }
    } else {
      w.random(static_cast<unsigned>(100 + shard));
    }
    for (const S entry : w.elements()) {
      if constexpr (sizeof(S) == 2) values.push_back(type == Weight::f16 ? value_of_half(entry) : value_of_bfloat(entry));
      else values.push_back(static_cast<double>(entry));
    }
    weights.push_back(w);
  }

  std::vector<double> expected, scale;
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = 0; j < s.n; ++j) {
      double sum = with_bias ? static_cast<double>(bias(0, j)) : 0, size = std::abs(sum);
      for (int64_t p = 0; p < s.k; ++p) {
        const double term = static_cast<double>(x(i, p)) * values[static_cast<size_t>(j * s.k + p)];
        sum += term;
        size += std::abs(term);
      }
      double value = activate(kind, sum);
      if (with_residual) value += residual(i, j), size += std::abs(static_cast<double>(residual(i, j)));
      expected.push_back(value);
      scale.push_back(1.2 * size + std::abs(value)); // no slope is above 1.13
    }
  }
  const std::string what = std::string("linear ") + weight_names[static_cast<int>(type)] + " " + std::to_string(s.m) +
                           "x" + std::to_string(s.n) + "x" + std::to_string(s.k) + " shards " +
                           std::to_string(shards) + " activation " + std::to_string(kind) +
                           (with_bias ? " +bias" : "") + (with_residual ? " +residual" : "");
  everywhere<T>(
      what,
      [&](const Engine &engine) {
        const Device<T> dx(engine, x), dbias(engine, bias), dresidual(engine, residual),
            dy(engine, Matrix<T>(s.m, s.n, place(3)));
        std::vector<std::unique_ptr<Device<S>>> held;
        std::vector<f2i_matrix> list;
        for (const Matrix<S> &w : weights) {
          held.push_back(std::make_unique<Device<S>>(engine, w));
          list.push_back(*held.back());
          list.back().dtype = weight_types[static_cast<int>(type)];
        }
        f2i_linear_args args = F2I_INIT(f2i_linear_args);
        args.activation = kind;
        args.shards = shards;
        args.w = list.data();
        args.x = dx;
        if (with_bias) args.bias = dbias;
        if (with_residual) args.residual = dresidual;
        args.y = dy;
        ok(f2i_linear(engine, &args));
        return dy.download().elements();
      },
      [&](const std::vector<T> &found) {
        return compare(found, expected, epsilon<T> * (4 + std::sqrt(static_cast<double>(s.k)) / 4), scale);
      });
}

template <class T, class S> void check_all(Weight type) {
  int variant = static_cast<int>(type);
  for (const Case &s : cases) {
    check_linear<T, S>(s, type, variant);
    check_linear<T, S>(s, type, variant + 7);
    variant += 5;
  }
}

} // namespace

TEST(linear_f32) { check_all<float, float>(Weight::f32); }
TEST(linear_f16) { check_all<float, uint16_t>(Weight::f16); }
TEST(linear_bf16) { check_all<float, uint16_t>(Weight::bf16); }
TEST(linear_f64) { check_all<double, double>(Weight::f64); }

TEST(a_sum_of_no_terms_leaves_bias_and_residual) {
  const Engine engine;
  for (const int64_t m : {2, 40}) {
    const Device<float> x(engine, Matrix<float>(m, 1)), w(engine, Matrix<float>(3, 1)),
        bias(engine, Matrix<float>(1, 3).fill(-5)), residual(engine, Matrix<float>(m, 3).fill(2)),
        y(engine, Matrix<float>(m, 3));
    f2i_matrix weight = w;
    weight.cols = 0;
    f2i_linear_args args = F2I_INIT(f2i_linear_args);
    args.activation = F2I_RELU;
    args.shards = 1;
    args.w = &weight;
    args.x = x, args.bias = bias, args.residual = residual, args.y = y;
    args.x.cols = 0;
    ok(f2i_linear(engine, &args));
    for (const float value : y.download().elements()) CHECK_EQUAL(value, 2.0f);
  }
}

TEST(bad_arguments_are_named) {
  const Engine engine;
  const Device<float> x(engine, Matrix<float>(2, 4).fill(1)), w(engine, Matrix<float>(3, 4).fill(1)),
      y(engine, Matrix<float>(2, 3));
  f2i_matrix weights[] = {w, w};
  f2i_linear_args args = F2I_INIT(f2i_linear_args);
  args.w = weights;
  args.x = x, args.y = y;
  const auto refused = [&](const char *part) {
    CHECK_EQUAL(f2i_linear(engine, &args), F2I_INVALID_ARGUMENT);
    CHECK_CONTAINS(f2i_last_error(engine), part);
  };
  refused("shards: expected 1 to 32, found 0");
  args.shards = 2;
  refused("y: shape: expected 2 x 6, found 2 x 3");
  args.shards = 1;
  args.activation = 9;
  refused("activation: expected 0 to 5, found 9");
  args.activation = F2I_ACTIVATION_NONE;
  weights[0].cols = 3;
  refused("w: shape: expected 3 x 4, found 3 x 3");
  weights[0] = w;
  weights[0].dtype = F2I_F64;
  weights[0].rows = 1;
  refused("w: dtype: expected f32 or f16 or bf16, found f64");
  args.w = nullptr;
  refused("w: expected a list");
}

CHECK_MAIN();
