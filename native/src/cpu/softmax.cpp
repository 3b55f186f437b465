// softmax of each row, or its logarithm.
#include "softmax.hpp"

#include "drivers.hpp"
#include "select.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

template <class T> f2i_status run(Exec &ex, const Softmax &op, const SoftmaxKernels<T> &kernels) {
  return for_rows(ex, op.x.rows, op.x.cols, [&](int64_t i) {
    kernels.row(op.log, op.x.as<const T>() + i * op.x.ld, op.x.cols, op.y.as<T>() + i * op.y.ld);
  });
}

} // namespace

f2i_status softmax(Exec &ex, const Softmax &op) {
  return op.x.dtype == F2I_F64 ? run<double>(ex, op, F2I_SELECT(softmax_f64, ex.isa()))
                               : run<float>(ex, op, F2I_SELECT(softmax_f32, ex.isa()));
}

} // namespace f2i::cpu
