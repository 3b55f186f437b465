// conv2d through the C ABI against the obvious loops in double.
#include "engine.hpp"

using namespace engine;

namespace {

struct Case {
  int64_t batch, channels, height, width, outputs, kernel, stride, top, bottom, left, right, groups;
};

const Case cases[] = {
    {1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},     {2, 5, 9, 7, 11, 1, 1, 0, 0, 0, 0, 1},
    {1, 8, 14, 14, 33, 3, 1, 1, 1, 1, 1, 1},  {2, 6, 13, 10, 10, 3, 2, 0, 1, 0, 1, 2},
    {1, 3, 40, 37, 16, 11, 4, 2, 2, 2, 2, 1}, {1, 70, 28, 28, 20, 3, 1, 1, 1, 1, 1, 1},
    {1, 4, 5, 6, 4, 3, 3, 4, 4, 5, 5, 4}, // kernels that see nothing but padding
};

template <class T> void check_conv2d(const Case &c, int variant) {
  const int64_t out_height = (c.height + c.top + c.bottom - c.kernel) / c.stride + 1;
  const int64_t out_width = (c.width + c.left + c.right - c.kernel) / c.stride + 1;
  const int64_t taken = c.channels / c.groups, terms = taken * c.kernel * c.kernel;
  const bool with_bias = variant % 2 == 0, with_residual = variant % 3 == 0;
  const int kind = variant % 2 ? F2I_RELU : F2I_ACTIVATION_NONE;
  const Matrix<T> x = Matrix<T>(c.batch * c.channels * c.height, c.width, {0, 3}).random(1);
  const Matrix<T> w = Matrix<T>(c.outputs, terms, {variant % 4, 1}).random(2), bias = Matrix<T>(1, c.outputs).random(3);
  const Matrix<T> residual = Matrix<T>(c.batch * c.outputs, out_height * out_width).random(4);
  std::vector<double> expected, scale;
  for (int64_t i = 0; i < residual.rows; ++i) {
    const int64_t o = i % c.outputs, b = i / c.outputs, group = o / (c.outputs / c.groups);
    for (int64_t oy = 0; oy < out_height; ++oy) {
      for (int64_t ox = 0; ox < out_width; ++ox) {
        double sum = with_bias ? static_cast<double>(bias(0, o)) : 0, size = std::abs(sum);
        for (int64_t t = 0; t < terms; ++t) {
          const int64_t kx = t % c.kernel, ky = t / c.kernel % c.kernel, channel = group * taken + t / (c.kernel * c.kernel);
          const int64_t iy = oy * c.stride + ky - c.top, ix = ox * c.stride + kx - c.left;
          if (iy < 0 || iy >= c.height || ix < 0 || ix >= c.width) continue;
          const double term = static_cast<double>(w(o, t)) * x((b * c.channels + channel) * c.height + iy, ix);
          sum += term, size += std::abs(term);
        }
        double value = kind == F2I_RELU ? std::max(sum, 0.0) : sum;
        const double rest = with_residual ? static_cast<double>(residual(i, oy * out_width + ox)) : 0;
        expected.push_back(value + rest);
        scale.push_back(size + std::abs(rest) + 1e-3);
      }
    }
  }
  everywhere<T>(
      "conv2d case " + std::to_string(variant),
      [&](const Engine &engine) {
        const Device<T> dx(engine, x), dw(engine, w), dbias(engine, bias), dresidual(engine, residual),
            dy(engine, Matrix<T>(residual.rows, residual.cols));
        f2i_conv2d_args args = F2I_INIT(f2i_conv2d_args);
        args.activation = kind;
        args.batch = static_cast<int32_t>(c.batch);
        args.channels = static_cast<int32_t>(c.channels), args.height = static_cast<int32_t>(c.height);
        args.kernel_height = args.kernel_width = static_cast<int32_t>(c.kernel);
        args.stride = static_cast<int32_t>(c.stride), args.groups = static_cast<int32_t>(c.groups);
        args.top = static_cast<int32_t>(c.top), args.bottom = static_cast<int32_t>(c.bottom);
        args.left = static_cast<int32_t>(c.left), args.right = static_cast<int32_t>(c.right);
        args.x = dx, args.w = dw, args.y = dy;
        if (with_bias) args.bias = dbias;
        if (with_residual) args.residual = dresidual;
        ok(f2i_conv2d(engine, &args));
        return dy.download().elements();
      },
      [&](const std::vector<T> &found) {
        return compare(found, expected, epsilon<T> * (4 + std::sqrt(static_cast<double>(terms)) / 4), scale);
      });
}

} // namespace

TEST(conv2d_f32) {
  int variant = 0;
  for (const Case &c : cases) check_conv2d<float>(c, variant++);
}
TEST(conv2d_f64) {
  int variant = 1;
  for (const Case &c : cases) check_conv2d<double>(c, variant++);
}

TEST(half_precision_weights) {
  const Engine engine;
  const Device<float> x(engine, Matrix<float>(3, 3).fill(2)), y(engine, Matrix<float>(1, 1));
  const Device<uint16_t> w(engine, Matrix<uint16_t>(1, 9).fill(0x3f00)); // 0.5 in bf16
  f2i_conv2d_args args = F2I_INIT(f2i_conv2d_args);
  args.batch = args.channels = 1, args.height = args.kernel_height = args.kernel_width = 3, args.stride = args.groups = 1;
  args.x = x, args.w = w, args.y = y;
  args.w.dtype = F2I_BF16;
  ok(f2i_conv2d(engine, &args));
  CHECK_EQUAL(y.download()(0, 0), 9.0f);
}

CHECK_MAIN();
