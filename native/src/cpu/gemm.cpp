// y = alpha op(a) op(b) + beta c + bias.
#include <algorithm>

#include "cpu/drivers.hpp"
#include "cpu/gemm_blocked.hpp"

namespace f2i::cpu {
namespace {

template <class T> Strided<T> operand(const View &view, bool transposed) {
  const Strided<T> x{view.as<const T>(), view.ld, 1};
  return transposed ? x.transposed() : x;
}

template <class T> f2i_status gemm_of(Exec &ex, const Gemm &op) {
  const GemmKernel<T> &kernel = gemm_kernel<T>(ex.isa());
  Product<T> product_op;
  product_op.m = op.y.rows;
  product_op.n = op.y.cols;
  product_op.k = op.trans_a ? op.a.rows : op.a.cols;
  product_op.a = operand<T>(op.a, op.trans_a);
  product_op.b = operand<T>(op.b, op.trans_b);
  product_op.alpha = static_cast<T>(op.alpha);
  if (op.c && op.beta != 0) { // beta = 0: c may be uninitialised
    product_op.beta = static_cast<T>(op.beta);
    product_op.c = op.c.as<const T>();
    product_op.ldc = op.c.ld;
  }
  product_op.bias = op.bias.as<const T>();
  product_op.y = op.y.as<T>();
  product_op.ldy = op.y.ld;
  if (product_op.m == 0 || product_op.n == 0) return F2I_OK;

  Workspace<T> workspace;
  if (!workspace.reserve(ex, kernel, product_op.m, product_op.k)) {
    return ex.fail(F2I_OUT_OF_MEMORY, "no room for the packed operands");
  }
  return product(ex, kernel, workspace, product_op);
}

/// An operand of half precision as f32, in scratch memory.
f2i_status widen(Exec &ex, View &x) {
  if (x.dtype != F2I_F16 && x.dtype != F2I_BF16) return F2I_OK;
  const View wide{ex.scratch_of<float>(std::max<int64_t>(x.rows * x.cols, 1)), x.rows, x.cols, x.cols, F2I_F32};
  if (!wide) return ex.fail(F2I_OUT_OF_MEMORY, "no room for the widened operand");
  const f2i_status status = x.rows * x.cols > 0 ? cast(ex, {x, wide}) : F2I_OK;
  x = wide;
  return status;
}

} // namespace

f2i_status gemm(Exec &ex, const Gemm &op) {
  if (op.y.dtype == F2I_F64) return gemm_of<double>(ex, op);
  Gemm wide = op;
  for (View *const x : {&wide.a, &wide.b}) {
    if (const f2i_status status = widen(ex, *x); status != F2I_OK) return status;
  }
  return gemm_of<float>(ex, wide);
}

} // namespace f2i::cpu
