// Convolution as a matrix product whose right operand, the pixels under the kernel for every output
// pixel, is made while it is packed: it is never in memory as a whole.
#include <algorithm>

#include "activations.hpp"
#include "cast.hpp"
#include "drivers.hpp"
#include "gemm_blocked.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

/// The pixels of some channels of one picture, [terms, output pixels]: term (c, ky, kx), row by row.
template <class T> struct Patches {
  const Conv2d &op;
  const T *x; // first channel
  int64_t nr;

  void pack(int64_t p0, int64_t length, int64_t j0, int64_t cols, T *packed) const {
    const int64_t s = op.stride;
    for (int64_t p = p0; p < p0 + length; ++p) {
      const int64_t kx = p % op.kernel_width, ky = p / op.kernel_width % op.kernel_height;
      const T *plane = x + p / (op.kernel_width * op.kernel_height) * op.height * op.width;
      for (int64_t first = 0; first < cols; first += nr) {
        T *to = packed + first * length + (p - p0) * nr;
        const int64_t used = std::min(nr, cols - first);
        for (int64_t lane = 0; lane < used;) {
          const int64_t j = j0 + first + lane, oy = j / op.out_width, ox = j % op.out_width;
          const int64_t run = std::min(used - lane, op.out_width - ox);
          row(oy * s + ky - op.top, ox * s + kx - op.left, run, plane, to + lane);
          lane += run;
        }
        std::fill(to + used, to + nr, T(0));
      }
    }
  }

private:
  /// Every stride-th pixel of a row from column ix on; zero outside of the picture.
  void row(int64_t iy, int64_t ix, int64_t count, const T *plane, T *to) const {
    const int64_t s = op.stride;
    if (iy < 0 || iy >= op.height) {
      std::fill_n(to, count, T(0));
      return;
    }
    const int64_t begin = std::clamp<int64_t>(ceil_div(std::max<int64_t>(-ix, 0), s), 0, count);
    const int64_t end = ix >= op.width ? begin : std::clamp<int64_t>((op.width - 1 - ix) / s + 1, begin, count);
    const T *from = plane + iy * op.width + ix;
    std::fill_n(to, begin, T(0));
    if (s == 1) {
      for (int64_t i = begin; i < end; ++i) to[i] = from[i];
    } else {
      for (int64_t i = begin; i < end; ++i) to[i] = from[i * s];
    }
    std::fill(to + end, to + count, T(0));
  }
};

template <class T> f2i_status run(Exec &ex, const Conv2d &op) {
  const GemmKernel<T> &kernel = gemm_kernel<T>(ex.isa());
  const ActivationKernels<T> &activations = activations_of<T>(ex.isa());
  const int64_t outputs = op.w.rows, m = outputs / op.groups, k = op.w.cols;
  const int64_t pixels = op.out_height * op.out_width, plane = op.height * op.width;
  const int64_t taken = op.channels / op.groups;

  // Weights of a convolution are few beside their uses: half precision is widened once.
  const T *w = op.w.as<const T>();
  int64_t ldw = op.w.ld;
  if (op.w.dtype != op.x.dtype) {
    T *wide = ex.scratch_of<T>(std::max<int64_t>(1, outputs * k));
    if (!wide) return ex.fail(F2I_OUT_OF_MEMORY, "no room for the weights as f32");
    const CastRow widen = F2I_SELECT(cast, ex.isa()).rows[op.w.dtype][op.x.dtype];
    for (int64_t i = 0; i < outputs; ++i) {
      widen(op.w.as<const char>() + i * op.w.ld * element_size(op.w.dtype), k, wide + i * k);
    }
    w = wide;
    ldw = k;
  }
  Workspace<T> workspace;
  if (!workspace.reserve(ex, kernel, m, k)) return ex.fail(F2I_OUT_OF_MEMORY, "no room for the packed operands");

  const bool plain = op.kernel_width * op.kernel_height == 1 && op.stride == 1 && pixels == plane;
  for (int64_t b = 0; b < op.batch; ++b) {
    for (int64_t group = 0; group < op.groups; ++group) {
      const int64_t first = group * m;
      T *y = op.y.as<T>() + (b * outputs + first) * pixels;
      const T *residual = op.residual ? op.residual.as<const T>() + (b * outputs + first) * pixels : nullptr;
      const T *bias = op.bias ? op.bias.as<const T>() + first : nullptr;
      const Patches<T> patches{op, op.x.as<const T>() + (b * op.channels + group * taken) * plane, kernel.nr};
      const std::function<void(int64_t, int64_t, int64_t, int64_t, T *)> pack =
          [&](int64_t p, int64_t length, int64_t j, int64_t cols, T *packed) {
            patches.pack(p, length, j, cols, packed);
          };
      const std::function<void(int64_t, int64_t, int64_t, int64_t)> finish = [&](int64_t i, int64_t rows, int64_t j,
                                                                                 int64_t cols) {
        for (int64_t end = i + rows; i < end; ++i) {
          activations.finish_channel(op.activation, bias ? bias[i] : T(0),
                                     residual ? residual + i * pixels + j : nullptr, cols, y + i * pixels + j);
        }
      };
      Product<T> product_op;
      product_op.m = m;
      product_op.n = pixels;
      product_op.k = k;
      product_op.a = {w + first * ldw, ldw, 1};
      product_op.y = y;
      product_op.ldy = pixels;
      if (plain) product_op.b = {patches.x, plane, 1};
      else product_op.pack_columns = &pack;
      if (bias || residual || op.activation != F2I_ACTIVATION_NONE) product_op.finish = &finish;
      const f2i_status status = product(ex, kernel, workspace, product_op);
      if (status != F2I_OK) return status;
    }
  }
  return F2I_OK;
}

} // namespace

f2i_status conv2d(Exec &ex, const Conv2d &op) {
  return op.y.dtype == F2I_F64 ? run<double>(ex, op) : run<float>(ex, op);
}

} // namespace f2i::cpu
