// Conversion between element types (cast.inc), at the speed of memory.
#include "cast.hpp"

#include "drivers.hpp"
#include "select.hpp"
#include "tiles.hpp"

namespace f2i::cpu {

f2i_status cast(Exec &ex, const Cast &op) {
  const CastKernels &kernels = F2I_SELECT(cast, ex.isa());
  const CastRow row = kernels.rows[op.x.dtype][op.y.dtype];
  const int64_t x_size = element_size(op.x.dtype), y_size = element_size(op.y.dtype);
  const char *x = op.x.as<char>();
  char *y = op.y.as<char>();
  int64_t rows = op.x.rows, cols = op.x.cols;
  if (contiguous(op.x) && contiguous(op.y)) {
    cols *= rows;
    rows = 1;
  }
  return for_tiles(ex, rows, cols, [&](int64_t r, int64_t end, int64_t c, int64_t c_end) {
    for (; r < end; ++r) row(x + (r * op.x.ld + c) * x_size, c_end - c, y + (r * op.y.ld + c) * y_size);
  });
}

} // namespace f2i::cpu
