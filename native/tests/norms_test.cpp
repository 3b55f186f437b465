// layer_norm, group_norm and softmax through the C ABI against plain loops in double.
#include "engine.hpp"

using namespace engine;

namespace {

double relu_or_silu(int kind, double x) {
  return kind == F2I_RELU ? std::max(x, 0.0) : kind == F2I_SILU ? x / (1 + std::exp(-x)) : x;
}

template <class T> void check_layer_norm(int64_t rows, int64_t cols, int variant) {
  const bool stable = variant % 2, with_gain = variant % 3 != 0, with_bias = variant % 4 >= 2;
  const int kind = variant % 3 == 1 ? F2I_SILU : F2I_ACTIVATION_NONE;
  const double shift = variant % 5 == 4 ? 1000 : 3; // a mean far from zero
  const Matrix<T> x = Matrix<T>(rows, cols, {3, 1}).random(1, 2, shift), gain = Matrix<T>(1, cols).random(2),
                  bias = Matrix<T>(1, cols, {0, 5}).random(3);
  std::vector<double> expected, scale;
  for (int64_t i = 0; i < rows; ++i) {
    double largest = -1e300, mean = 0, variance = 0;
    for (int64_t j = 0; j < cols; ++j) largest = std::max(largest, static_cast<double>(x(i, j)));
    const double divisor = stable ? largest : 1;
    for (int64_t j = 0; j < cols; ++j) mean += x(i, j) / divisor / static_cast<double>(cols);
    for (int64_t j = 0; j < cols; ++j) variance += std::pow(x(i, j) / divisor - mean, 2) / static_cast<double>(cols);
    const double deviation = std::sqrt(variance + 1e-5);
    for (int64_t j = 0; j < cols; ++j) {
      const double g = with_gain ? static_cast<double>(gain(0, j)) : 1;
      const double value = (x(i, j) / divisor - mean) / deviation * g + (with_bias ? static_cast<double>(bias(0, j)) : 0);
      expected.push_back(relu_or_silu(kind, value));
      scale.push_back((std::abs(x(i, j) / divisor) + std::abs(mean)) / deviation * std::abs(g) + std::abs(value) + 1);
    }
  }
  everywhere<T>(
      "layer_norm " + std::to_string(rows) + "x" + std::to_string(cols) + " variant " + std::to_string(variant),
      [&](const Engine &engine) {
        const Device<T> dx(engine, x), dgain(engine, gain), dbias(engine, bias), dy(engine, Matrix<T>(rows, cols, {1, 2}));
        f2i_layer_norm_args args = F2I_INIT(f2i_layer_norm_args);
        args.activation = kind, args.stable = stable, args.eps = 1e-5;
        args.x = dx, args.y = dy;
        if (with_gain) args.gain = dgain;
        if (with_bias) args.bias = dbias;
        ok(f2i_layer_norm(engine, &args));
        const auto apart = dy.download().elements();
        args.y = dx;
        ok(f2i_layer_norm(engine, &args));
        CHECK(dx.download().elements() == apart);
        return apart;
      },
      [&](const std::vector<T> &found) { return compare(found, expected, 16 * epsilon<T>, scale); });
}

template <class T> void check_group_norm(int64_t batch, int64_t channels, int64_t size, int64_t groups) {
  const Matrix<T> x = Matrix<T>(batch * channels, size, {2, 3}).random(1, 2, 5), gain = Matrix<T>(1, channels).random(2),
                  bias = Matrix<T>(1, channels).random(3);
  std::vector<double> expected, scale;
  const int64_t members = channels / groups;
  for (int64_t i = 0; i < x.rows; ++i) {
    const int64_t first = i / members * members;
    double mean = 0, variance = 0;
    const double count = static_cast<double>(members * size);
    for (int64_t r = first; r < first + members; ++r)
      for (int64_t j = 0; j < size; ++j) mean += x(r, j) / count;
    for (int64_t r = first; r < first + members; ++r)
      for (int64_t j = 0; j < size; ++j) variance += std::pow(x(r, j) - mean, 2) / count;
    for (int64_t j = 0; j < size; ++j) {
      const double g = static_cast<double>(gain(0, i % channels)) / std::sqrt(variance + 1e-6);
      const double value = (x(i, j) - mean) * g + static_cast<double>(bias(0, i % channels));
      expected.push_back(relu_or_silu(F2I_SILU, value));
      scale.push_back((std::abs(static_cast<double>(x(i, j))) + std::abs(mean)) * std::abs(g) + std::abs(value) + 1);
    }
  }
  everywhere<T>(
      "group_norm " + std::to_string(batch) + "x" + std::to_string(channels) + "x" + std::to_string(size),
      [&](const Engine &engine) {
        const Device<T> dx(engine, x), dgain(engine, gain), dbias(engine, bias), dy(engine, Matrix<T>(x.rows, size, {1, 0}));
        f2i_group_norm_args args = F2I_INIT(f2i_group_norm_args);
        args.activation = F2I_SILU, args.eps = 1e-6;
        args.channels = static_cast<int32_t>(channels), args.groups = static_cast<int32_t>(groups);
        args.x = dx, args.gain = dgain, args.bias = dbias, args.y = dy;
        ok(f2i_group_norm(engine, &args));
        return dy.download().elements();
      },
      [&](const std::vector<T> &found) { return compare(found, expected, 16 * epsilon<T>, scale); });
}

template <class T> void check_softmax(int64_t rows, int64_t cols, bool log) {
  Matrix<T> x = Matrix<T>(rows, cols, {5, 1}).random(1, 4);
  if (cols > 2) x(0, 1) = static_cast<T>(-INFINITY), x(rows - 1, 2) = 300; // one takes all
  std::vector<double> expected;
  for (int64_t i = 0; i < rows; ++i) {
    double largest = -INFINITY, sum = 0;
    for (int64_t j = 0; j < cols; ++j) largest = std::max(largest, static_cast<double>(x(i, j)));
    for (int64_t j = 0; j < cols; ++j) sum += std::exp(x(i, j) - largest);
    for (int64_t j = 0; j < cols; ++j) {
      expected.push_back(log ? x(i, j) - largest - std::log(sum) : std::exp(x(i, j) - largest) / sum);
    }
  }
  everywhere<T>(
      std::string(log ? "log_softmax " : "softmax ") + std::to_string(rows) + "x" + std::to_string(cols),
      [&](const Engine &engine) {
        const Device<T> dx(engine, x);
        f2i_softmax_args args = F2I_INIT(f2i_softmax_args);
        args.log = log;
        args.x = args.y = dx;
        ok(f2i_softmax(engine, &args));
        return dx.download().elements();
      },
      [&](const std::vector<T> &found) { return compare(found, expected, epsilon<T> * (4 + std::sqrt(static_cast<double>(cols)) / 4)); });
}

} // namespace

TEST(layer_norm_all) {
  int variant = 0;
  for (const int64_t rows : {1, 3, 90}) {
    for (const int64_t cols : {1, 2, 63, 260, 1664}) {
      check_layer_norm<float>(rows, cols, variant);
      check_layer_norm<double>(rows, cols, variant++);
    }
  }
}

TEST(group_norm_all) {
  check_group_norm<float>(1, 4, 1, 2);
  check_group_norm<float>(2, 6, 49, 3);
  check_group_norm<float>(1, 64, 784, 1);
  check_group_norm<double>(3, 8, 130, 8);
}

TEST(softmax_all) {
  for (const int64_t rows : {1, 7, 200}) {
    for (const int64_t cols : {1, 5, 300, 1100}) {
      check_softmax<float>(rows, cols, false);
      check_softmax<float>(rows, cols, true);
      check_softmax<double>(rows, cols, rows == 7);
    }
  }
}

TEST(nothing_to_choose_from_is_not_a_number) {
  const Engine engine;
  const Device<float> x(engine, Matrix<float>(1, 20).fill(-INFINITY));
  f2i_softmax_args args = F2I_INIT(f2i_softmax_args);
  args.x = args.y = x;
  ok(f2i_softmax(engine, &args));
  for (const float value : x.download().elements()) CHECK(std::isnan(value));
}

TEST(bad_arguments_are_named) {
  const Engine engine;
  const Device<float> x(engine, Matrix<float>(4, 6).fill(1));
  f2i_layer_norm_args layer = F2I_INIT(f2i_layer_norm_args);
  layer.eps = -1;
  layer.x = layer.y = x;
  CHECK_EQUAL(f2i_layer_norm(engine, &layer), F2I_INVALID_ARGUMENT);
  CHECK_CONTAINS(f2i_last_error(engine), "eps: expected 0 or more, found -1");
  f2i_group_norm_args group = F2I_INIT(f2i_group_norm_args);
  group.channels = 4, group.groups = 3;
  group.x = group.y = x;
  CHECK_EQUAL(f2i_group_norm(engine, &group), F2I_INVALID_ARGUMENT);
  CHECK_CONTAINS(f2i_last_error(engine), "groups: expected a divisor of the channels 4, found 3");
}

CHECK_MAIN();
