// y = alpha x x^T or alpha x^T x: the tiles of one triangle, each entry stored twice.
#include "cuda/ops.hpp"
#include "cuda/product.cuh"

namespace f2i::cuda {

f2i_status gram(Exec &ex, const Gram &op) {
  return with_float(op.x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Operand x = operand(op.x, !op.columns);
    Product<T> p{op.y.rows, op.y.rows, op.columns ? op.x.rows : op.x.cols, x, x, {}};
    p.lower = p.finish.mirror = true;
    p.finish.alpha = static_cast<T>(op.alpha);
    p.finish.y = op.y.as<T>();
    p.finish.ldy = op.y.ld;
    return product(ex, "gram", p);
  });
}

} // namespace f2i::cuda
