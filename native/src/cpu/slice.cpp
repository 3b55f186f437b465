// A run of columns, copied by rows.
#include <cstring>

#include "drivers.hpp"
#include "tiles.hpp"

namespace f2i::cpu {

f2i_status slice(Exec &ex, const Slice &op) {
  const int64_t size = element_size(op.y.dtype);
  return for_tiles(ex, op.y.rows, op.y.cols, [&](int64_t r, int64_t end, int64_t c, int64_t c_end) {
    for (; r < end; ++r) {
      std::memcpy(op.y.as<char>() + (r * op.y.ld + c) * size, op.x.as<char>() + (r * op.x.ld + op.start + c) * size,
                  static_cast<size_t>((c_end - c) * size));
    }
  });
}

} // namespace f2i::cpu
