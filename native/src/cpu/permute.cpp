// The axes of an array in another order. The last axis of x and the last of y span a plane that is
// turned in squares, so that both are read and written by cache lines; the other axes are a loop.
#include <array>

#include "drivers.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

template <class T> f2i_status run(Exec &ex, const Permute &op) {
  constexpr int64_t side = 64 / sizeof(T) < 16 ? 16 : 64 / sizeof(T);
  const int rank = op.rank;
  // Extents and steps in x of the axes of y.
  std::array<int64_t, 6> steps{}, extent{}, step{};
  int64_t all = 1;
  for (int axis = rank - 1; axis >= 0; --axis) {
    steps[axis] = all;
    all *= op.shape[axis];
  }
  for (int axis = 0; axis < rank; ++axis) {
    extent[axis] = op.shape[op.axes[axis]];
    step[axis] = steps[op.axes[axis]];
  }
  const T *x = op.x.as<const T>();
  T *y = op.y.as<T>();
  const int64_t width = rank > 0 ? extent[rank - 1] : 1;
  const int64_t along = rank > 0 ? step[rank - 1] : 1; // step in x of neighbours in y
  // The axis of y whose neighbours are neighbours in x, if another than the last.
  int turned = -1;
  for (int axis = 0; axis + 1 < rank; ++axis) {
    if (step[axis] == 1 && extent[axis] > 1 && along != 1) turned = axis;
  }
  const int64_t height = turned >= 0 ? extent[turned] : 1;
  int64_t height_step = 1; // in y
  for (int axis = turned + 1; turned >= 0 && axis < rank; ++axis) height_step *= extent[axis];
  const int64_t planes = width * height > 0 ? all / (width * height) : 0;

  // A task is a run of planes, or a band of one.
  const int64_t band = turned >= 0 ? std::clamp<int64_t>((1 << 15) / width / side * side, side, height) : 1;
  const int64_t bands = (height + band - 1) / band;
  return for_rows(ex, planes * bands, width * band, [&](int64_t task) {
    int64_t rest = task / bands, from = 0, to = 0, size = 1;
    for (int axis = rank - 1; axis >= 0; --axis) {
      if (axis != turned && axis != rank - 1) {
        from += rest % extent[axis] * step[axis];
        to += rest % extent[axis] * size;
        rest /= extent[axis];
      }
      size *= extent[axis];
    }
    const int64_t top = task % bands * band, bottom = std::min(height, top + band);
    if (turned < 0) {
      for (int64_t j = 0; j < width; ++j) y[to + j] = x[from + j * along];
      return;
    }
    for (int64_t i0 = top; i0 < bottom; i0 += side) {
      const int64_t i1 = std::min(bottom, i0 + side);
      for (int64_t j0 = 0; j0 < width; j0 += side) {
        const int64_t j1 = std::min(width, j0 + side);
        for (int64_t i = i0; i < i1; ++i) {
          for (int64_t j = j0; j < j1; ++j) y[to + i * height_step + j] = x[from + i + j * along];
        }
      }
    }
  });
}

} // namespace

f2i_status permute(Exec &ex, const Permute &op) {
  switch (element_size(op.x.dtype)) {
  case 8: return run<uint64_t>(ex, op);
  case 4: return run<uint32_t>(ex, op);
  case 2: return run<uint16_t>(ex, op);
  default: return run<uint8_t>(ex, op);
  }
}

} // namespace f2i::cpu
