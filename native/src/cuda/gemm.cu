// y = alpha op(a) op(b) + beta c + bias.
#include "cuda/ops.hpp"
#include "cuda/product.cuh"

namespace f2i::cuda {

f2i_status gemm(Exec &ex, const Gemm &op) {
  return with_float(op.y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const int64_t k = op.trans_a ? op.a.rows : op.a.cols;
    Product<T> p{op.y.rows, op.y.cols, k, operand(op.a, !op.trans_a), operand(op.b, op.trans_b), {}};
    p.precision = ex.precision();
    p.finish.alpha = static_cast<T>(op.alpha);
    if (op.beta != 0) { // otherwise c may hold anything
      p.finish.beta = static_cast<T>(op.beta);
      p.finish.c = op.c.as<const T>();
      p.finish.ldc = op.c.ld;
    }
    p.finish.row_bias = op.bias.as<const T>();
    p.finish.y = op.y.as<T>();
    p.finish.ldy = op.y.ld;
    return product(ex, "gemm", p);
  });
}

} // namespace f2i::cuda
