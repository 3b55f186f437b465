// y = (x - mean) / std by column, at the speed of memory.
#include "standardize.hpp"

#include "drivers.hpp"
#include "select.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

template <class T, class Row> f2i_status run(Exec &ex, const Standardize &op, Row row) {
  const T *mean = op.mean.as<T>(), *std = op.std.as<T>();
  return for_tiles(ex, op.x.rows, op.x.cols, [&](int64_t r, int64_t end, int64_t c, int64_t c_end) {
    for (; r < end; ++r)
      row(op.x.as<T>() + r * op.x.ld + c, mean ? mean + c : nullptr, std ? std + c : nullptr, c_end - c,
          op.y.as<T>() + r * op.y.ld + c);
  });
}

} // namespace

f2i_status standardize(Exec &ex, const Standardize &op) {
  const StandardizeKernels &kernels = F2I_SELECT(standardize, ex.isa());
  if (op.x.dtype == F2I_F64) return run<double>(ex, op, kernels.row_f64);
  return run<float>(ex, op, kernels.row_f32);
}

} // namespace f2i::cpu
