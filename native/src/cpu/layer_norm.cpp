// Each row less its mean, over its deviation.
#include "layer_norm.hpp"

#include "drivers.hpp"
#include "select.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

template <class T> f2i_status run(Exec &ex, const LayerNorm &op, const LayerNormKernels<T> &kernels) {
  const NormOfRow<T> norm{op.stable, static_cast<T>(op.eps), op.activation, op.gain.as<const T>(),
                          op.bias.as<const T>()};
  return for_rows(ex, op.x.rows, op.x.cols, [&](int64_t i) {
    kernels.row(norm, op.x.as<const T>() + i * op.x.ld, op.x.cols, op.y.as<T>() + i * op.y.ld);
  });
}

} // namespace

f2i_status layer_norm(Exec &ex, const LayerNorm &op) {
  return op.x.dtype == F2I_F64 ? run<double>(ex, op, F2I_SELECT(layer_norm_f64, ex.isa()))
                               : run<float>(ex, op, F2I_SELECT(layer_norm_f32, ex.isa()));
}

} // namespace f2i::cpu
