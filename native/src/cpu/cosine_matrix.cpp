// Cosines of all pairs of rows: rows are brought to unit length, then multiplied by gemm.
#include "cosine_matrix.hpp"

#include "drivers.hpp"
#include "select.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

template <class T> struct CosineRun {
  Exec &ex;
  const CosineMatrix &op;
  void (*unit)(const T *, int64_t, T *);
  void (*clamp)(T *, int64_t);

  /// The rows of x at unit length, in scratch memory; without data where there is no room.
  View units(const View &x, f2i_status &status) {
    View y{ex.scratch_of<T>(std::max<int64_t>(1, x.rows * x.cols)), x.rows, x.cols, x.cols, x.dtype};
    if (!y) {
      status = ex.fail(F2I_OUT_OF_MEMORY, "no room for %lld x %lld unit rows",
                       static_cast<long long>(x.rows), static_cast<long long>(x.cols));
      return y;
    }
    const int64_t group = std::clamp<int64_t>((1 << 15) / std::max<int64_t>(1, x.cols), 1, x.rows);
    ex.pool().parallel_for((x.rows + group - 1) / group, [&](int64_t index, int) {
      const int64_t end = std::min(x.rows, (index + 1) * group);
      for (int64_t row = index * group; row < end && !ex.cancelled(); ++row)
        unit(x.as<T>() + row * x.ld, x.cols, y.as<T>() + row * y.ld);
    });
    if (ex.cancelled()) status = F2I_CANCELLED;
    return y;
  }

  f2i_status operator()() {
    if (op.y.rows == 0 || op.y.cols == 0) return F2I_OK;
    const bool same = op.a.data == op.b.data && op.a.rows == op.b.rows && op.a.ld == op.b.ld;
    f2i_status status = F2I_OK;
    Gemm product;
    product.trans_b = true;
    product.y = op.y;
    product.a = units(op.a, status);
    if (status != F2I_OK) return status;
    product.b = same ? product.a : units(op.b, status);
    if (status != F2I_OK) return status;
    status = gemm(ex, product);
    if (status != F2I_OK) return status;
    return for_tiles(ex, op.y.rows, op.y.cols, [&](int64_t r, int64_t end, int64_t c, int64_t c_end) {
      for (; r < end; ++r) clamp(op.y.as<T>() + r * op.y.ld + c, c_end - c);
    });
  }
};

} // namespace

f2i_status cosine_matrix(Exec &ex, const CosineMatrix &op) {
  const CosineMatrixKernels &kernels = F2I_SELECT(cosine_matrix, ex.isa());
  if (op.a.dtype == F2I_F64) return CosineRun<double>{ex, op, kernels.unit_f64, kernels.clamp_f64}();
  return CosineRun<float>{ex, op, kernels.unit_f32, kernels.clamp_f32}();
}

} // namespace f2i::cpu
