// Convolution as a product of the weights and the pixels under the kernel, which
// are looked up while the product's slices are loaded: they are never in memory
// as a whole.
#include "cuda/ops.hpp"
#include "cuda/product.cuh"

namespace f2i::cuda {
namespace {

/// Entry (output pixel, term) of a picture; a term is (channel, kernel row, kernel column).
template <class T> struct Patches {
  using Stored = T;
  static constexpr bool along = false; // neighbouring pixels are neighbours in memory
  const T *x = nullptr;
  int64_t by_picture = 0;
  uint32_t height, width, kernel_height, kernel_width, out_width, stride, top, left;

  __device__ __forceinline__ T at(int64_t picture, int64_t pixel, int64_t term) const {
    const auto j = static_cast<uint32_t>(pixel), p = static_cast<uint32_t>(term);
    const uint32_t row = p / kernel_width, kx = p - row * kernel_width;
    const uint32_t channel = row / kernel_height, ky = row - channel * kernel_height;
    const uint32_t oy = j / out_width, ox = j - oy * out_width;
    // Above and left of the picture they wrap around, and are beyond its extent, too.
    const uint32_t iy = oy * stride + ky - top, ix = ox * stride + kx - left;
    if (iy >= height || ix >= width) return T(0);
    return x[picture * by_picture + (static_cast<int64_t>(channel) * height + iy) * width + ix];
  }
};

template <class T, class S> f2i_status run(Exec &ex, const Conv2d &op) {
  const int64_t outputs = op.w.rows, m = outputs / op.groups, k = op.w.cols;
  const int64_t pixels = op.out_height * op.out_width, plane = op.height * op.width, taken = op.channels / op.groups;
  if (k > INT32_MAX || pixels > INT32_MAX) return ex.fail(F2I_UNSUPPORTED, "pictures of more than 2^31 pixels");
  const bool plain = op.kernel_width * op.kernel_height == 1 && op.stride == 1 && pixels == plane;
  for (int64_t group = 0; group < op.groups; ++group) {
    const int64_t first = group * m;
    const Operand<S, true> w{op.w.as<const S>() + first * op.w.ld, op.w.ld, 0};
    const T *const x = op.x.as<const T>() + group * taken * plane;
    Finish<T> finish;
    finish.activation = op.activation;
    finish.column_bias = op.bias ? op.bias.as<const T>() + first : nullptr;
    finish.residual = op.residual ? op.residual.as<const T>() + first * pixels : nullptr;
    finish.y = op.y.as<T>() + first * pixels;
    finish.ldr = finish.ldy = pixels;
    finish.residual_plane = finish.y_plane = outputs * pixels;
    if (plain) {
      using X = Operand<T, false>;
      F2I_TRY(product(ex, "conv2d", Product<T, Operand<S, true>, X>{m, pixels, k, op.batch, w, X{x, plane, op.channels * plane}, finish}));
      continue;
    }
    const auto extent = [](int64_t value) { return static_cast<uint32_t>(value); };
    const Patches<T> patches{x, op.channels * plane, extent(op.height), extent(op.width), extent(op.kernel_height),
                             extent(op.kernel_width), extent(op.out_width), extent(op.stride), extent(op.top), extent(op.left)};
    F2I_TRY(product(ex, "conv2d", Product<T, Operand<S, true>, Patches<T>>{m, pixels, k, op.batch, w, patches, finish}));
  }
  return F2I_OK;
}

} // namespace

f2i_status conv2d(Exec &ex, const Conv2d &op) {
  if (op.y.dtype == F2I_F64) return run<double, double>(ex, op);
  switch (op.w.dtype) {
  case F2I_F16: return run<float, F16>(ex, op);
  case F2I_BF16: return run<float, Bf16>(ex, op);
  default: return run<float, float>(ex, op);
  }
}

} // namespace f2i::cuda
