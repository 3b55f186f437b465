// Groups of channels less their mean, over their deviation. Moments are made channel by channel and
// joined in double by the rule of Chan, Golub and LeVeque (1983, "Algorithms for computing the sample
// variance"), so that all threads may work on one group.
#include "group_norm.hpp"

#include <cmath>

#include "drivers.hpp"
#include "select.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

template <class T> f2i_status run(Exec &ex, const GroupNorm &op, const GroupNormKernels<T> &kernels) {
  const View &x = op.x;
  const int64_t n = x.cols, size = op.channels / op.groups, groups = x.rows / size;
  T *means = ex.scratch_of<T>(2 * x.rows), *squares = means + x.rows;
  double *joined = ex.scratch_of<double>(2 * groups);
  if (!means || !joined) return ex.fail(F2I_OUT_OF_MEMORY, "no room for the moments of the channels");
  f2i_status status = for_rows(ex, x.rows, n, [&](int64_t i) {
    kernels.moments(x.as<const T>() + i * x.ld, n, means + i, squares + i);
  });
  if (status != F2I_OK) return status;
  for (int64_t group = 0; group < groups; ++group) {
    double mean = 0, sum = 0, count = 0;
    for (int64_t i = group * size; i < (group + 1) * size; ++i) {
      const double total = count + static_cast<double>(n), delta = static_cast<double>(means[i]) - mean;
      sum += static_cast<double>(squares[i]) + delta * delta * count * static_cast<double>(n) / total;
      mean += delta * static_cast<double>(n) / total;
      count = total;
    }
    joined[2 * group] = mean;
    joined[2 * group + 1] = 1 / std::sqrt(sum / count + op.eps);
  }
  return for_rows(ex, x.rows, n, [&](int64_t i) {
    const int64_t channel = i % op.channels;
    const double *moments = joined + 2 * (i / size);
    const double gain = op.gain ? static_cast<double>(op.gain.as<T>()[channel]) : 1;
    kernels.apply(op.activation, x.as<const T>() + i * x.ld, n, static_cast<T>(moments[0]),
                  static_cast<T>(moments[1] * gain), op.bias ? op.bias.as<T>()[channel] : T(0),
                  op.y.as<T>() + i * op.y.ld);
  });
}

} // namespace

f2i_status group_norm(Exec &ex, const GroupNorm &op) {
  return op.x.dtype == F2I_F64 ? run<double>(ex, op, F2I_SELECT(group_norm_f64, ex.isa()))
                               : run<float>(ex, op, F2I_SELECT(group_norm_f32, ex.isa()));
}

} // namespace f2i::cpu
