// Activation functions at the speed of memory.
#include "activation.hpp"

#include "drivers.hpp"
#include "select.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

template <class T> f2i_status run(Exec &ex, const Activation &op, const ActivationKernels<T> &kernels) {
  const View &x = op.x, &y = op.y;
  int64_t rows = x.rows, cols = x.cols;
  if (contiguous(x) && contiguous(y)) {
    cols *= rows;
    rows = 1;
  }
  return for_tiles(ex, rows, cols, [&](int64_t r, int64_t end, int64_t c, int64_t c_end) {
    for (; r < end; ++r) kernels.row(op.kind, x.as<T>() + r * x.ld + c, c_end - c, y.as<T>() + r * y.ld + c);
  });
}

} // namespace

f2i_status activation(Exec &ex, const Activation &op) {
  return op.x.dtype == F2I_F64 ? run<double>(ex, op, F2I_SELECT(activation_f64, ex.isa()))
                               : run<float>(ex, op, F2I_SELECT(activation_f32, ex.isa()));
}

} // namespace f2i::cpu
