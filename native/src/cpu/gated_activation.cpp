// One half of each row times the activation of the other, at the speed of memory.
#include "activation.hpp"
#include "drivers.hpp"
#include "select.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

template <class T> f2i_status run(Exec &ex, const GatedActivation &op, const ActivationKernels<T> &kernels) {
  const View &x = op.x, &y = op.y;
  return for_tiles(ex, y.rows, y.cols, [&](int64_t r, int64_t end, int64_t c, int64_t c_end) {
    for (; r < end; ++r) {
      const T *row = x.as<T>() + r * x.ld + c;
      kernels.gated(op.kind, row, row + y.cols, c_end - c, y.as<T>() + r * y.ld + c);
    }
  });
}

} // namespace

f2i_status gated_activation(Exec &ex, const GatedActivation &op) {
  return op.x.dtype == F2I_F64 ? run<double>(ex, op, F2I_SELECT(activation_f64, ex.isa()))
                               : run<float>(ex, op, F2I_SELECT(activation_f32, ex.isa()));
}

} // namespace f2i::cpu
