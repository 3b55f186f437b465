// Groups of channels less their mean, over their deviation. The moments of parts
// of a group are made by many blocks and joined in order (Chan, Golub and LeVeque
// 1983), so that one large group fills the device, too.
#include "cuda/activate.cuh"
#include "cuda/ops.hpp"
#include "cuda/reduce.cuh"
#include "cuda/tiles.cuh"

namespace f2i::cuda {
namespace {

constexpr int threads = 256;
constexpr int64_t part_size = 4096; // entries of a block

template <class T> struct Part {
  T mean, squares;
};
template <class T> struct Room {
  T of_warp[32];
};
/// What is applied to a channel: (x - mean) * factor + shift.
template <class T> struct Affine {
  T mean, factor;
};

/// Two passes over 16 entries a thread: the mean of the part, then deviations from it.
template <class T>
__global__ void __launch_bounds__(threads)
    parts_kernel(Matrix<const T> x, int64_t cols, int64_t members, int64_t parts_of_group, Part<T> *parts) {
  Room<T> &room = shared_memory<Room<T>>();
  const int64_t group = blockIdx.x / parts_of_group, part = blockIdx.x % parts_of_group;
  const int64_t all = members * cols, begin = part * part_size;
  const int64_t count = all - begin < part_size ? all - begin : part_size;
  constexpr int items = part_size / threads;
  T kept[items];
  T sum = 0;
#pragma unroll
  for (int u = 0; u < items; ++u) {
    const int64_t e = begin + threadIdx.x + u * threads;
    kept[u] = 0;
    if (e < begin + count) {
      const int64_t row = e / cols;
      kept[u] = x(group * members + row, e - row * cols);
    }
    sum += kept[u];
  }
  const T mean = reduce_block(sum, Sum(), room.of_warp, T(0)) / static_cast<T>(count);
  T squares = 0;
#pragma unroll
  for (int u = 0; u < items; ++u) {
    if (begin + threadIdx.x + u * threads < begin + count) squares = fused(kept[u] - mean, kept[u] - mean, squares);
  }
  squares = reduce_block(squares, Sum(), room.of_warp, T(0));
  if (threadIdx.x == 0) parts[blockIdx.x] = {mean, squares};
}

template <class T>
__global__ void __launch_bounds__(128) join_kernel(const Part<T> *parts, int64_t parts_of_group, int64_t size,
                                                   int64_t groups, double eps, Affine<T> *moments) {
  const int64_t group = static_cast<int64_t>(blockIdx.x) * 128 + threadIdx.x;
  if (group >= groups) return;
  double mean = 0, squares = 0, count = 0;
  for (int64_t p = 0; p < parts_of_group; ++p) {
    const Part<T> part = parts[group * parts_of_group + p];
    const double n = static_cast<double>(size - p * part_size < part_size ? size - p * part_size : part_size);
    const double delta = static_cast<double>(part.mean) - mean, all = count + n;
    squares += static_cast<double>(part.squares) + delta * delta * count * n / all;
    mean += delta * n / all;
    count = all;
  }
  moments[group] = {static_cast<T>(mean), static_cast<T>(1 / sqrt(squares / count + eps))};
}

template <class T> struct Normed {
  f2i_activation_kind activation;
  int64_t channels, members;
  const Affine<T> *moments;
  const T *gain, *bias;
  Matrix<const T> x;
  Matrix<T> y;
  __device__ T load(int64_t i, int64_t j) const { return x(i, j); }
  __device__ void store(int64_t i, int64_t j, T value) const {
    const Affine<T> m = moments[i / members];
    const int64_t channel = i % channels;
    T result = (value - m.mean) * (gain != nullptr ? m.factor * gain[channel] : m.factor);
    if (bias != nullptr) result += bias[channel];
    y(i, j) = activate(activation, result);
  }
};

} // namespace

f2i_status group_norm(Exec &ex, const GroupNorm &op) {
  return with_float(op.x.dtype, [&](auto zero) -> f2i_status {
    using T = decltype(zero);
    const int64_t members = op.channels / op.groups, groups = op.x.rows / members, size = members * op.x.cols;
    const int64_t parts_of_group = ceil_div(size, part_size);
    if (groups * parts_of_group > INT32_MAX) return ex.fail(F2I_UNSUPPORTED, "more groups than a grid has");
    Part<T> *const parts = ex.scratch_of<Part<T>>(groups * parts_of_group);
    Affine<T> *const moments = ex.scratch_of<Affine<T>>(groups);
    if (parts == nullptr || moments == nullptr) return ex.fail(F2I_OUT_OF_MEMORY, "no room for the moments of the groups");
    F2I_TRY(F2I_LAUNCH(ex, (parts_kernel<T>), dim3(static_cast<unsigned>(groups * parts_of_group)), dim3(threads),
                       sizeof(Room<T>), input_of<T>(op.x), op.x.cols, members, parts_of_group, parts));
    F2I_TRY(F2I_LAUNCH(ex, (join_kernel<T>), dim3(static_cast<unsigned>(ceil_div(groups, 128))), dim3(128), 0, parts,
                       parts_of_group, size, groups, op.eps, moments));
    const Normed<T> f{op.activation, op.channels, members, moments, op.gain.as<const T>(), op.bias.as<const T>(),
                      input_of<T>(op.x), matrix_of<T>(op.y)};
    return for_tiles(ex, "group_norm", op.x.rows, op.x.cols, f);
  });
}

} // namespace f2i::cuda
