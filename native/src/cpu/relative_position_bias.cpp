// y[h, i] = table[buckets[i], h].
#include "drivers.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

template <class T> f2i_status run(Exec &ex, const RelativePositionBias &op) {
  return for_tiles(ex, op.y.rows, op.y.cols, [&](int64_t h, int64_t end, int64_t c, int64_t c_end) {
    for (; h < end; ++h) {
      const T *table = op.table.as<const T>() + h;
      T *y = op.y.as<T>() + h * op.y.ld;
      for (int64_t j = c; j < c_end; ++j) y[j] = table[op.buckets[j] * op.table.ld];
    }
  });
}

} // namespace

f2i_status relative_position_bias(Exec &ex, const RelativePositionBias &op) {
  return op.y.dtype == F2I_F64 ? run<double>(ex, op) : run<float>(ex, op);
}

} // namespace f2i::cpu
