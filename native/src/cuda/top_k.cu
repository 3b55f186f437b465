// The k best entries of each row, a block a row. The key of the k-th best is
// found digit by digit (a histogram of those that share its higher digits);
// entries above it, and the first of those equal to it, are collected and sorted.
// Keys order as the numbers do, NaN below all; ties go to the lower index.
#include "cuda/number.cuh"
#include "cuda/ops.hpp"
#include "cuda/reduce.cuh"

namespace f2i::cuda {
namespace {

constexpr int threads = 256, warps = threads / 32;

template <class T> using Key = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;

/// Larger is better; 0 is kept for NaN, and zeros of both signs are equal.
template <class T> __device__ __forceinline__ Key<T> key_of(T x, bool smallest) {
  using U = Key<T>;
  if (x != x) return 0;
  if (smallest) x = -x;
  x += T(0); // -0
  constexpr U sign = U(1) << (8 * sizeof(U) - 1);
  U bits;
  if constexpr (sizeof(T) == 4) bits = bits_of(x);
  else bits = static_cast<U>(__double_as_longlong(x));
  return (bits & sign) != 0 ? ~bits : bits | sign;
}

template <class U> struct Entry {
  U key;
  int32_t index; // INT32_MAX: no entry
};
template <class U> __device__ __forceinline__ bool before(const Entry<U> &a, const Entry<U> &b) {
  return a.key != b.key ? a.key > b.key : a.index < b.index;
}

struct Shared {
  uint32_t counts[256];
  uint32_t of_warp[warps];
  uint32_t above, digit; // of the digit that holds the k-th best
  uint32_t taken;
};

template <class T>
__global__ void __launch_bounds__(threads)
    best_kernel(Matrix<const T> x, int64_t rows, int64_t cols, int64_t k, bool smallest, Entry<Key<T>> *room, int64_t size,
                Matrix<T> values, Matrix<int32_t> indices) {
  using U = Key<T>;
  Shared &shared = shared_memory<Shared>();
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  Entry<U> *const best = room + static_cast<int64_t>(blockIdx.x) * size;
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    // The key of the k-th best.
    U known = 0, mask = 0;
    auto wanted = static_cast<uint32_t>(k); // its rank among those that share its known digits
    for (int shift = 8 * static_cast<int>(sizeof(U)) - 8; shift >= 0; shift -= 8) {
      shared.counts[threadIdx.x] = 0;
      __syncthreads();
      for (int64_t j = threadIdx.x; j < cols; j += threads) {
        const U key = key_of(x(row, j), smallest);
        if ((key & mask) == known) atomicAdd(&shared.counts[(key >> shift) & 0xff], 1u);
      }
      __syncthreads();
      if (threadIdx.x == 0) {
        uint32_t above = 0, digit = 255;
        while (above + shared.counts[digit] < wanted) above += shared.counts[digit--];
        shared.above = above;
        shared.digit = digit;
        shared.taken = 0;
      }
      __syncthreads();
      wanted -= shared.above;
      known |= static_cast<U>(shared.digit) << shift;
      mask |= static_cast<U>(0xff) << shift;
    }
    // Those above it in any order; of those equal to it the first `wanted`.
    uint32_t equal_before = 0;
    for (int64_t j0 = 0; j0 < cols; j0 += threads) {
      const int64_t j = j0 + threadIdx.x;
      const U key = j < cols ? key_of(x(row, j), smallest) : 0;
      const bool equal = j < cols && key == known;
      if (j < cols && key > known) best[atomicAdd(&shared.taken, 1u)] = {key, static_cast<int32_t>(j)};
      const unsigned votes = __ballot_sync(0xffffffffu, equal ? 1 : 0);
      if (lane == 0) shared.of_warp[warp] = static_cast<uint32_t>(__popc(votes));
      __syncthreads();
      uint32_t rank = equal_before + static_cast<uint32_t>(__popc(votes & ((1u << lane) - 1u)));
      for (int w = 0; w < warps; ++w) {
        if (w < warp) rank += shared.of_warp[w];
        equal_before += shared.of_warp[w];
      }
      if (equal && rank < wanted) best[k - wanted + rank] = {key, static_cast<int32_t>(j)};
      __syncthreads(); // before the counts of the next columns
    }
    for (int64_t e = k + threadIdx.x; e < size; e += threads) best[e] = {0, INT32_MAX};
    __syncthreads();
    // Bitonic sort; size is a power of two.
    for (int64_t span = 2; span <= size; span *= 2) {
      for (int64_t step = span / 2; step > 0; step /= 2) {
        for (int64_t e = threadIdx.x; e < size / 2; e += threads) {
          const int64_t low = e / step * 2 * step + e % step, high = low + step;
          const bool rising = (low & span) == 0;
          const Entry<U> a = best[low], b = best[high];
          if (before(b, a) == rising) {
            best[low] = b;
            best[high] = a;
          }
        }
        __syncthreads();
      }
    }
    for (int64_t e = threadIdx.x; e < k; e += threads) {
      const int32_t index = best[e].index;
      values(row, e) = x(row, index);
      indices(row, e) = index;
    }
    __syncthreads(); // before the next row's entries
  }
}

template <class T> f2i_status run(Exec &ex, const TopK &op) {
  const int64_t k = op.values.cols;
  int64_t size = 2;
  while (size < k) size *= 2;
  // As many rows at once as fill the device; each has room of its own.
  const int64_t most = 8 * device_of(ex).processors(), blocks = op.x.rows < most ? op.x.rows : most;
  auto *const room = ex.scratch_of<Entry<Key<T>>>(blocks * size);
  if (room == nullptr) {
    return ex.fail(F2I_OUT_OF_MEMORY, "no room for the candidates of %lld columns, k = %lld",
                   static_cast<long long>(op.x.cols), static_cast<long long>(k));
  }
  return F2I_LAUNCH(ex, (best_kernel<T>), dim3(static_cast<unsigned>(blocks)), dim3(threads), sizeof(Shared), input_of<T>(op.x),
                    op.x.rows, op.x.cols, k, op.smallest, room, size, matrix_of<T>(op.values), matrix_of<int32_t>(op.indices));
}

} // namespace

f2i_status top_k(Exec &ex, const TopK &op) {
  return with_float(op.x.dtype, [&](auto zero) { return run<decltype(zero)>(ex, op); });
}

} // namespace f2i::cuda
