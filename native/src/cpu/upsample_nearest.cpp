// Every entry of x `factor` times in both directions.
#include <cstring>

#include "drivers.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

template <class T> f2i_status run(Exec &ex, const UpsampleNearest &op) {
  return for_rows(ex, op.x.rows, op.y.cols * op.factor, [&](int64_t i) {
    const T *x = op.x.as<const T>() + i * op.x.ld;
    T *first = op.y.as<T>() + i * op.factor * op.y.ld;
    for (int64_t j = 0; j < op.x.cols; ++j) {
      for (int64_t r = 0; r < op.factor; ++r) first[j * op.factor + r] = x[j];
    }
    for (int64_t r = 1; r < op.factor; ++r) {
      std::memcpy(first + r * op.y.ld, first, static_cast<size_t>(op.y.cols) * sizeof(T));
    }
  });
}

} // namespace

f2i_status upsample_nearest(Exec &ex, const UpsampleNearest &op) {
  return op.x.dtype == F2I_F64 ? run<double>(ex, op) : run<float>(ex, op);
}

} // namespace f2i::cpu
