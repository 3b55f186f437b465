// Normals from a counter: every element is made of its number alone, so rows are cut as it suits.
#include "random_normal.hpp"

#include "drivers.hpp"
#include "select.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

template <class T, class Fill> f2i_status run(Exec &ex, const RandomNormal &op, Fill fill) {
  const View &y = op.y;
  int64_t rows = y.rows, cols = y.cols;
  if (contiguous(y)) {
    cols *= rows;
    rows = 1;
  }
  return for_tiles(ex, rows, cols, [&](int64_t r, int64_t end, int64_t c, int64_t c_end) {
    for (; r < end; ++r) {
      fill(op.seed, op.offset + static_cast<uint64_t>(r * cols + c), c_end - c, y.as<T>() + r * y.ld + c);
    }
  });
}

} // namespace

f2i_status random_normal(Exec &ex, const RandomNormal &op) {
  const RandomNormalKernels &kernels = F2I_SELECT(random_normal, ex.isa());
  switch (op.y.dtype) {
  case F2I_F64: return run<double>(ex, op, kernels.f64);
  case F2I_I32: return run<int32_t>(ex, op, kernels.words);
  default: return run<float>(ex, op, kernels.f32);
  }
}

} // namespace f2i::cpu
