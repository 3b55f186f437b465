// y[i,j] = x[row_indices[i], col_indices[j]] for elements of 1, 2, 4 or 8 bytes.
#include <cstring>

#include "drivers.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

/// The first index outside [0, bound), or -1.
int64_t find_outside(const int32_t *indices, int64_t count, int64_t bound) {
  for (int64_t i = 0; i < count; ++i)
    if (indices[i] < 0 || indices[i] >= bound) return i;
  return -1;
}

template <class T> f2i_status run(Exec &ex, const Gather &op) {
  const View &x = op.x, &y = op.y;
  return for_tiles(ex, y.rows, y.cols, [&](int64_t r, int64_t end, int64_t c, int64_t c_end) {
    for (; r < end; ++r) {
      const T *from = x.as<T>() + (op.row_indices ? op.row_indices[r] : r) * x.ld;
      T *to = y.as<T>() + r * y.ld;
      if (!op.col_indices)
        std::memcpy(to + c, from + c, static_cast<size_t>(c_end - c) * sizeof(T));
      else
        for (int64_t j = c; j < c_end; ++j) to[j] = from[op.col_indices[j]];
    }
  });
}

} // namespace

f2i_status gather(Exec &ex, const Gather &op) {
  if (op.row_indices) {
    const int64_t i = find_outside(op.row_indices, op.y.rows, op.x.rows);
    if (i >= 0)
      return ex.fail(F2I_INVALID_ARGUMENT, "row_indices[%lld] = %d, expected 0 to %lld",
                     static_cast<long long>(i), op.row_indices[i], static_cast<long long>(op.x.rows - 1));
  }
  if (op.col_indices) {
    const int64_t j = find_outside(op.col_indices, op.y.cols, op.x.cols);
    if (j >= 0)
      return ex.fail(F2I_INVALID_ARGUMENT, "col_indices[%lld] = %d, expected 0 to %lld",
                     static_cast<long long>(j), op.col_indices[j], static_cast<long long>(op.x.cols - 1));
  }
  switch (element_size(op.x.dtype)) {
  case 1: return run<uint8_t>(ex, op);
  case 2: return run<uint16_t>(ex, op);
  case 8: return run<uint64_t>(ex, op);
  default: return run<uint32_t>(ex, op);
  }
}

} // namespace f2i::cpu
