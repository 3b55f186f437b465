// y = alpha op(a) op(b) + beta c + bias; of each plane of a batch.
#include "cuda/ops.hpp"
#include "cuda/product.cuh"

namespace f2i::cuda {

f2i_status gemm(Exec &ex, const Gemm &op) {
  return with_float(op.y.dtype, [&](auto zero) {
    using T = decltype(zero);
    // Rows of all planes by one b are one product.
    const bool whole = op.shared_b && !op.trans_a && op.bias.rows <= 1;
    const int64_t m = whole ? op.y.rows : op.m(), n = op.n(), k = op.k();
    Product<T> p{m, n, k, operand(op.a, !op.trans_a), operand(op.b, op.trans_b), {}};
    p.precision = ex.precision();
    p.planes = whole ? 1 : op.batch;
    p.a.by_plane = (op.trans_a ? k : m) * op.a.ld;
    p.b.by_plane = op.shared_b ? 0 : (op.trans_b ? n : k) * op.b.ld;
    p.finish.alpha = static_cast<T>(op.alpha);
    if (op.beta != 0) { // otherwise c may hold anything
      p.finish.beta = static_cast<T>(op.beta);
      p.finish.c = op.c.as<const T>();
      p.finish.ldc = op.c.ld;
      p.finish.c_by_plane = m * op.c.ld;
    }
    p.finish.row_bias = op.bias.as<const T>();
    p.finish.row_bias_by_plane = op.bias.rows > 1 ? op.bias.ld : 0;
    p.finish.y = op.y.as<T>();
    p.finish.ldy = op.y.ld;
    p.finish.by_plane = m * op.y.ld;
    return product(ex, "gemm", p);
  });
}

} // namespace f2i::cuda
