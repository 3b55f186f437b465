// activation and gated_activation through the C ABI against the formulas in double.
#include "engine.hpp"

using namespace engine;

namespace {

/// x / (1 + exp(-z)), where exp does not overflow.
double gated(double x, double z) { return z < 0 ? x * std::exp(z) / (1 + std::exp(z)) : x / (1 + std::exp(-z)); }

double reference(int kind, double x) {
  switch (kind) {
  case F2I_RELU: return std::max(x, 0.0);
  case F2I_SILU: return gated(x, x);
  case F2I_GELU_ERF: return x * std::erfc(-x * std::sqrt(0.5)) / 2;
  case F2I_GELU_TANH: return gated(x, 2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x));
  case F2I_GELU_QUICK: return gated(x, 1.702 * x);
  default: return x;
  }
}

/// Units in the last place; what is below the smallest normal number may be zero.
template <class T> double ulps(T found, double expected) {
  const double smallest = static_cast<double>(std::numeric_limits<T>::min());
  const double error = std::abs(static_cast<double>(found) - expected);
  return error <= smallest ? 0 : error / (std::abs(expected) * epsilon<T>);
}

template <class T> void check_accuracy() {
  const int64_t rows = 7, cols = 3001;
  Matrix<T> x(rows, cols, {5, 3});
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) {
      const double range[] = {0.01, 1, 4, 9, 14, 40, 1e4};
      x(i, j) = static_cast<T>(range[i] * (2.0 * static_cast<double>(j) / (cols - 1) - 1));
    }
  }
  for (int kind = F2I_RELU; kind <= F2I_GELU_QUICK; ++kind) {
    everywhere<T>(
        "activation " + std::to_string(kind),
        [&](const Engine &engine) {
          const Device<T> dx(engine, x), dy(engine, Matrix<T>(rows, cols, {1, 2}));
          f2i_activation_args args = F2I_INIT(f2i_activation_args);
          args.kind = kind;
          args.x = dx, args.y = dy;
          ok(f2i_activation(engine, &args));
          const auto apart = dy.download().elements();
          args.y = dx;
          ok(f2i_activation(engine, &args));
          CHECK(dx.download().elements() == apart);
          return apart;
        },
        [&](const std::vector<T> &found) -> std::string {
          double worst = 0, at = 0;
          for (size_t i = 0; i < found.size(); ++i) {
            const double input = static_cast<double>(x(static_cast<int64_t>(i) / cols, static_cast<int64_t>(i) % cols));
            const double error = ulps(found[i], reference(kind, input));
            // exp(-z) of a rounded z is off by |z| u, where it matters: z < 0.
            const double z = kind == F2I_GELU_TANH ? 1.6 * input + 0.08 * input * input * input : 1.702 * input;
            const bool rounded = kind == F2I_GELU_TANH || kind == F2I_GELU_QUICK;
            const double allowed = 4 + (rounded && z < 0 ? -4 * z : 0);
            if (!(error / allowed <= worst)) worst = error / allowed, at = input;
          }
          return worst <= 1 ? "" : std::to_string(worst) + " of the tolerance at " + std::to_string(at);
        });
  }
}

} // namespace

TEST(activation_f32) { check_accuracy<float>(); }
TEST(activation_f64) { check_accuracy<double>(); }

TEST(special_values) {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const Engine engine;
  for (int kind = F2I_RELU; kind <= F2I_GELU_QUICK; ++kind) {
    Matrix<float> x(1, 3);
    x(0, 0) = infinity, x(0, 1) = nan, x(0, 2) = 0;
    const Device<float> d(engine, x);
    f2i_activation_args args = F2I_INIT(f2i_activation_args);
    args.kind = kind;
    args.x = args.y = d;
    ok(f2i_activation(engine, &args));
    const auto found = d.download().elements();
    CHECK(std::isinf(found[0]) && found[0] > 0);
    CHECK(std::isnan(found[1]));
    CHECK_EQUAL(found[2], 0.0f);
  }
}

TEST(gated_activation_multiplies_the_first_half) {
  for (const int kind : {F2I_SILU, F2I_GELU_ERF}) {
    for (const int64_t half : {1, 9, 70, 1300}) {
      const Matrix<float> x = Matrix<float>(41, 2 * half, {3, 1}).random(5, 2);
      std::vector<double> expected;
      for (int64_t i = 0; i < x.rows; ++i) {
        for (int64_t j = 0; j < half; ++j) {
          expected.push_back(static_cast<double>(x(i, j)) * reference(kind, static_cast<double>(x(i, half + j))));
        }
      }
      everywhere<float>(
          "gated " + std::to_string(kind) + " " + std::to_string(half),
          [&](const Engine &engine) {
            const Device<float> dx(engine, x), dy(engine, Matrix<float>(x.rows, half, {2, 4}));
            f2i_gated_activation_args args = F2I_INIT(f2i_gated_activation_args);
            args.kind = kind;
            args.x = dx, args.y = dy;
            ok(f2i_gated_activation(engine, &args));
            return dy.download().elements();
          },
          [&](const std::vector<float> &found) { return compare(found, expected, 5 * epsilon<float>); });
    }
  }
}

CHECK_MAIN();
