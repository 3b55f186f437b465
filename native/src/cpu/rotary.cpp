// Turns pairs of neighbours by an angle of their row's position.
#include "drivers.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

template <class T> f2i_status run(Exec &ex, const Rotary &op) {
  const int64_t pairs = op.cos.cols, positions = op.cos.rows;
  return for_rows(ex, op.x.rows, op.x.cols, [&](int64_t i) {
    const int64_t position = i / op.inside % positions;
    const T *x = op.x.as<const T>() + i * op.x.ld;
    T *y = op.y.as<T>() + i * op.y.ld;
    const T *cos = op.cos.as<const T>() + position * op.cos.ld, *sin = op.sin.as<const T>() + position * op.sin.ld;
    for (int64_t p = 0; p < pairs; ++p) {
      const T a = x[2 * p], b = x[2 * p + 1];
      y[2 * p] = a * cos[p] - b * sin[p];
      y[2 * p + 1] = b * cos[p] + a * sin[p];
    }
    for (int64_t j = 2 * pairs; j < op.x.cols; ++j) y[j] = x[j];
  });
}

} // namespace

f2i_status rotary(Exec &ex, const Rotary &op) {
  return op.x.dtype == F2I_F64 ? run<double>(ex, op) : run<float>(ex, op);
}

} // namespace f2i::cpu
