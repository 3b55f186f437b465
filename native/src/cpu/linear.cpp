// y = activation(x w^T + bias) + residual, w in shards of rows and in f32, f16, bf16 or f64. With
// many rows of x it is a blocked product whose packing widens w; with few, dot products that read w
// once, as it lies in memory or in a mapped file.
#include "linear.hpp"

#include <algorithm>

#include "activations.hpp"
#include "drivers.hpp"
#include "gemm_blocked.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

constexpr int64_t few = 16;                 // most rows of x for dot products
constexpr int64_t most_width = 192;         // most rows of w of a task, a multiple of every tile's
constexpr int64_t task_bytes = 1 << 19;     // of w
using Finish = std::function<void(int64_t, int64_t, int64_t, int64_t)>;

template <class T> const LinearKernels<T> &linear_kernels(f2i_isa isa);
template <> const LinearKernels<float> &linear_kernels(f2i_isa isa) { return F2I_SELECT(linear_f32, isa); }
template <> const LinearKernels<double> &linear_kernels(f2i_isa isa) { return F2I_SELECT(linear_f64, isa); }

/// One shard: columns [first, first + w.rows) of y.
template <class T> struct Part {
  Exec &ex;
  const Linear &op;
  const View &w;
  int64_t first;

  T *y(int64_t i, int64_t j) const { return op.y.as<T>() + i * op.y.ld + first + j; }
  const T *bias(int64_t j) const { return op.bias ? op.bias.as<const T>() + first + j : nullptr; }
  const T *residual(int64_t i, int64_t j) const {
    return op.residual ? op.residual.as<const T>() + i * op.residual.ld + first + j : nullptr;
  }

  f2i_status few_rows() const {
    const LinearKernels<T> &kernels = linear_kernels<T>(ex.isa());
    const ActivationKernels<T> &activations = activations_of<T>(ex.isa());
    const auto dots = w.dtype == F2I_F16 ? kernels.dots_f16 : w.dtype == F2I_BF16 ? kernels.dots_bf16 : kernels.dots;
    const int64_t m = op.x.rows, n = w.rows, k = op.x.cols, size = element_size(w.dtype);
    const int64_t share = task_bytes / (std::max<int64_t>(k, 1) * size);
    const int64_t width = std::clamp<int64_t>(round_up(share, 24), 24, most_width);
    for_tasks(ex, ceil_div(n, width), m * n * k < serial_work / 8, [&](int64_t task, int) {
      if (ex.cancelled()) return;
      alignas(64) T sums[few * most_width];
      const int64_t j = task * width, cols = std::min(width, n - j);
      dots(m, cols, k, op.x.as<const T>(), op.x.ld, w.as<const char>() + j * w.ld * size, w.ld, sums);
      for (int64_t i = 0; i < m; ++i) {
        activations.finish(op.activation, bias(j), residual(i, j), cols, sums + i * cols);
        std::copy_n(sums + i * cols, cols, y(i, j));
      }
    });
    return ex.cancelled() ? F2I_CANCELLED : F2I_OK;
  }

  f2i_status many_rows(const GemmKernel<T> &kernel, const Workspace<T> &workspace) const {
    const ActivationKernels<T> &activations = activations_of<T>(ex.isa());
    const Finish finish = [&](int64_t i, int64_t rows, int64_t j, int64_t cols) {
      for (int64_t end = i + rows; i < end; ++i) {
        activations.finish(op.activation, nullptr, residual(i, j), cols, y(i, j));
      }
    };
    Product<T> product_op;
    product_op.m = op.x.rows;
    product_op.n = w.rows;
    product_op.k = op.x.cols;
    product_op.a = {op.x.as<const T>(), op.x.ld, 1};
    product_op.b = {w.as<const T>(), 1, w.ld};
    if (w.dtype == F2I_F16 || w.dtype == F2I_BF16) {
      product_op.b.data = nullptr;
      product_op.half = w.as<const uint16_t>();
      product_op.pack_half = w.dtype == F2I_F16 ? kernel.pack_f16 : kernel.pack_bf16;
    }
    product_op.bias = bias(0);
    product_op.y = y(0, 0);
    product_op.ldy = op.y.ld;
    if (op.activation != F2I_ACTIVATION_NONE) {
      product_op.finish = &finish;
    } else if (op.residual) {
      product_op.beta = 1;
      product_op.c = residual(0, 0);
      product_op.ldc = op.residual.ld;
    }
    return product(ex, kernel, workspace, product_op);
  }
};

template <class T> f2i_status linear_of(Exec &ex, const Linear &op) {
  const bool many = op.x.rows > few;
  const GemmKernel<T> &kernel = gemm_kernel<T>(ex.isa());
  Workspace<T> workspace;
  if (many && !workspace.reserve(ex, kernel, op.x.rows, op.x.cols)) {
    return ex.fail(F2I_OUT_OF_MEMORY, "no room for the packed operands");
  }
  int64_t first = 0;
  for (const View &w : op.weights) {
    if (w.rows == 0) continue;
    const Part<T> part{ex, op, w, first};
    const f2i_status status = many ? part.many_rows(kernel, workspace) : part.few_rows();
    if (status != F2I_OK) return status;
    first += w.rows;
  }
  return F2I_OK;
}

} // namespace

f2i_status linear(Exec &ex, const Linear &op) {
  return op.y.dtype == F2I_F64 ? linear_of<double>(ex, op) : linear_of<float>(ex, op);
}

} // namespace f2i::cpu
