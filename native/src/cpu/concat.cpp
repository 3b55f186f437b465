// Matrices beside each other: a copy by rows.
#include <cstring>

#include "drivers.hpp"
#include "tiles.hpp"

namespace f2i::cpu {

f2i_status concat(Exec &ex, const Concat &op) {
  const int64_t size = element_size(op.y.dtype);
  int64_t first = 0;
  for (const View &x : op.parts) {
    // Rows of a part that follow each other in both matrices are one.
    const bool whole = contiguous(x) && op.y.ld == x.cols;
    const int64_t rows = whole ? 1 : x.rows, cols = whole ? x.rows * x.cols : x.cols;
    const f2i_status status = for_tiles(ex, rows, cols, [&](int64_t r, int64_t end, int64_t c, int64_t c_end) {
      for (; r < end; ++r) {
        std::memcpy(op.y.as<char>() + (r * op.y.ld + first + c) * size, x.as<char>() + (r * x.ld + c) * size,
                    static_cast<size_t>((c_end - c) * size));
      }
    });
    if (status != F2I_OK) return status;
    first += x.cols;
  }
  return F2I_OK;
}

} // namespace f2i::cpu
