// y = alpha x x^T or alpha x^T x: the product with one triangle of its tiles, about half the
// arithmetic of gemm, then a mirrored copy, so that y is symmetric to the bit.
#include "cpu/drivers.hpp"
#include "cpu/gemm_symmetric.hpp"

namespace f2i::cpu {
namespace {

template <class T> f2i_status gram_of(Exec &ex, const Gram &op) {
  const GemmKernel<T> &kernel = gemm_kernel<T>(ex.isa());
  Strided<T> x{op.x.as<const T>(), op.x.ld, 1};
  if (op.columns) x = x.transposed();
  Product<T> lower;
  lower.m = lower.n = op.columns ? op.x.cols : op.x.rows;
  lower.k = op.columns ? op.x.rows : op.x.cols;
  lower.a = x;
  lower.b = x.transposed();
  lower.alpha = static_cast<T>(op.alpha);
  lower.y = op.y.as<T>();
  lower.ldy = op.y.ld;
  lower.diagonal = 0;
  if (lower.m == 0) return F2I_OK;

  Workspace<T> workspace;
  if (!workspace.reserve(ex, kernel, lower.m, lower.k)) {
    return ex.fail(F2I_OUT_OF_MEMORY, "no room for the packed operands");
  }
  if (const f2i_status status = product(ex, kernel, workspace, lower)) return status;
  mirror_lower(ex, kernel, lower.n, lower.y, lower.ldy);
  return ex.cancelled() ? F2I_CANCELLED : F2I_OK;
}

} // namespace

f2i_status gram(Exec &ex, const Gram &op) {
  return op.y.dtype == F2I_F64 ? gram_of<double>(ex, op) : gram_of<float>(ex, op);
}

} // namespace f2i::cpu
