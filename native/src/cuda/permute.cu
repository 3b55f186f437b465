// Axes in another order. Neighbours that stay neighbours are one axis first. If
// the last axis stays the last, elements are copied where they are needed;
// otherwise tiles are turned in shared memory, so that reads and writes both run
// along memory.
#include "cuda/ops.hpp"
#include "cuda/tiles.cuh"

namespace f2i::cuda {
namespace {

struct Axes {
  int rank = 0;
  int64_t extent[F2I_MAX_RANK] = {}; // of y
  int64_t x_step[F2I_MAX_RANK] = {}; // of y's axes in x
  int64_t y_step[F2I_MAX_RANK] = {};
};

Axes merged(const Permute &op) {
  int64_t steps[F2I_MAX_RANK];
  int64_t step = 1;
  for (int axis = op.rank - 1; axis >= 0; --axis) {
    steps[axis] = step;
    step *= op.shape[axis];
  }
  Axes axes;
  for (int i = 0; i < op.rank; ++i) {
    const int axis = op.axes[i];
    if (op.shape[axis] == 1) continue;
    const int last = axes.rank - 1;
    if (last >= 0 && axes.x_step[last] == steps[axis] * op.shape[axis]) { // it followed its neighbour in x, too
      axes.extent[last] *= op.shape[axis];
      axes.x_step[last] = steps[axis];
      continue;
    }
    axes.extent[axes.rank] = op.shape[axis];
    axes.x_step[axes.rank++] = steps[axis];
  }
  step = 1;
  for (int i = axes.rank - 1; i >= 0; --i) {
    axes.y_step[i] = step;
    step *= axes.extent[i];
  }
  return axes;
}

/// Rows of y (all axes but the last) are taken apart once for a thread's four columns.
template <class T> struct Rows {
  const T *x;
  T *y;
  Axes axes;
  __device__ T load(int64_t i, int64_t j) const {
    int64_t at = j * axes.x_step[axes.rank - 1];
    for (int axis = axes.rank - 2; axis >= 0; --axis) {
      const int64_t rest = i / axes.extent[axis];
      at += (i - rest * axes.extent[axis]) * axes.x_step[axis];
      i = rest;
    }
    return x[at];
  }
  __device__ void store(int64_t i, int64_t j, T value) const { y[i * axes.extent[axes.rank - 1] + j] = value; }
};

constexpr int side = 32, lines = 8;
template <class T> struct Tile {
  T at[side][side + 1]; // a column's entries lie in different banks
};

/// axes.extent[last] runs along y, axes.extent[along] along x.
template <class T> __global__ void __launch_bounds__(side *lines) turn_kernel(const T *x, T *y, Axes axes, int along) {
  Tile<T> &tile = shared_memory<Tile<T>>();
  const int last = axes.rank - 1;
  const int64_t across = ceil_div(axes.extent[last], side), down = ceil_div(axes.extent[along], side);
  int64_t rest = blockIdx.x;
  const int64_t j0 = rest % across * side, i0 = rest / across % down * side;
  rest = rest / across / down;
  int64_t x_at = 0, y_at = 0;
  for (int axis = last - 1; axis >= 0; --axis) {
    if (axis == along) continue;
    const int64_t next = rest / axes.extent[axis], index = rest - next * axes.extent[axis];
    x_at += index * axes.x_step[axis];
    y_at += index * axes.y_step[axis];
    rest = next;
  }
  const int lane = static_cast<int>(threadIdx.x) % side, line = static_cast<int>(threadIdx.x) / side;
  for (int l = line; l < side; l += lines) {
    if (j0 + l < axes.extent[last] && i0 + lane < axes.extent[along]) {
      tile.at[l][lane] = x[x_at + (j0 + l) * axes.x_step[last] + (i0 + lane) * axes.x_step[along]];
    }
  }
  __syncthreads();
  for (int l = line; l < side; l += lines) {
    if (i0 + l < axes.extent[along] && j0 + lane < axes.extent[last]) {
      y[y_at + (i0 + l) * axes.y_step[along] + j0 + lane] = tile.at[lane][l];
    }
  }
}

template <class T> f2i_status run(Exec &ex, const Permute &op) {
  const Axes axes = merged(op);
  const T *const x = op.x.as<const T>();
  T *const y = op.y.as<T>();
  int64_t size = 1;
  for (int i = 0; i < op.rank; ++i) size *= op.shape[i];
  const int last = axes.rank - 1;
  if (axes.rank == 0) { // one element
    Axes one;
    one.rank = 1;
    one.extent[0] = one.x_step[0] = 1;
    return for_tiles(ex, "permute", 1, size, Rows<T>{x, y, one});
  }
  int along = last;
  for (int axis = 0; axis < axes.rank; ++axis) {
    if (axes.x_step[axis] == 1) along = axis;
  }
  const int64_t tiles = ceil_div(axes.extent[last], side) * ceil_div(axes.extent[along], side) *
                        (size / (axes.extent[last] * axes.extent[along]));
  if (along == last || axes.extent[along] < 4 || axes.extent[last] < 4 || tiles > INT32_MAX) {
    return for_tiles(ex, "permute", size / axes.extent[last], axes.extent[last], Rows<T>{x, y, axes});
  }
  return F2I_LAUNCH(ex, (turn_kernel<T>), dim3(static_cast<unsigned>(tiles)), dim3(side * lines), sizeof(Tile<T>), x, y, axes,
                    along);
}

} // namespace

f2i_status permute(Exec &ex, const Permute &op) {
  switch (size_of(op.y.dtype)) {
  case 1: return run<uint8_t>(ex, op);
  case 2: return run<uint16_t>(ex, op);
  case 8: return run<uint64_t>(ex, op);
  default: return run<uint32_t>(ex, op);
  }
}

} // namespace f2i::cuda
