// Convolution as a product of the weights and the pixels under the kernel, which
// are looked up while the product's slices are loaded: they are never in memory
// as a whole. All pictures and groups are one launch.
#include "cuda/ops.hpp"
#include "cuda/product.cuh"

namespace f2i::cuda {
namespace {

template <class T> f2i_status run(Exec &ex, const Conv2d &op) {
  const int64_t outputs = op.w.rows, m = outputs / op.groups, k = op.w.cols;
  const int64_t pixels = op.out_height * op.out_width, plane = op.height * op.width, taken = op.channels / op.groups;
  if (k > INT32_MAX || pixels > INT32_MAX) return ex.fail(F2I_UNSUPPORTED, "pictures of more than 2^31 pixels");
  Product<T> p{m, pixels, k, operand(op.w, true), operand(op.x.as<const T>(), plane, false), {}, op.batch, op.groups};
  p.precision = ex.precision();
  p.a.by_group = m * op.w.ld;
  p.b.by_plane = op.channels * plane;
  p.b.by_group = taken * plane;
  if (op.kernel_width * op.kernel_height != 1 || op.stride != 1 || pixels != plane) {
    const auto extent = [](int64_t value) { return static_cast<uint32_t>(value); };
    p.b.is_patches = true;
    p.b.patches = {extent(op.height), extent(op.width), extent(op.stride), extent(op.top), extent(op.left),
                   Divisor::of(op.kernel_height), Divisor::of(op.kernel_width), Divisor::of(op.out_width)};
  }
  p.finish.activation = op.activation;
  p.finish.column_bias = op.bias.as<const T>();
  p.finish.bias_by_group = m;
  p.finish.residual = op.residual.as<const T>();
  p.finish.y = op.y.as<T>();
  p.finish.ldr = p.finish.ldy = pixels;
  p.finish.by_plane = outputs * pixels;
  p.finish.by_group = m * pixels;
  return product(ex, "conv2d", p);
}

} // namespace

f2i_status conv2d(Exec &ex, const Conv2d &op) {
  return op.y.dtype == F2I_F64 ? run<double>(ex, op) : run<float>(ex, op);
}

} // namespace f2i::cuda
