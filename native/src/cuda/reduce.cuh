// Sums and maxima over a block, in one order whatever the threads do.
#pragma once

#include "cuda/number.cuh"

namespace f2i::cuda {

struct Sum {
  template <class T> __device__ __forceinline__ T operator()(T a, T b) const { return a + b; }
};
/// NaN wins.
struct Max {
  template <class T> __device__ __forceinline__ T operator()(T a, T b) const { return a > b || a != a ? a : b; }
};

/// Over the 32 lanes; every lane gets the result.
template <class T, class Op> __device__ __forceinline__ T reduce_warp(T value, Op op) {
#pragma unroll
  for (int bits = 16; bits > 0; bits >>= 1) value = op(value, __shfl_xor_sync(0xffffffffu, value, bits));
  return value;
}

/// Over a block of whole warps; every thread gets the result. `room`: one value a warp, of the block's
/// shared memory; may be used again at once.
template <class T, class Op> __device__ __forceinline__ T reduce_block(T value, Op op, T *room, T nothing) {
  value = reduce_warp(value, op);
  const unsigned warps = blockDim.x / 32, lane = threadIdx.x % 32;
  if (warps == 1) return value;
  __syncthreads(); // all have read what an earlier reduction left there
  if (lane == 0) room[threadIdx.x / 32] = value;
  __syncthreads();
  return reduce_warp(lane < warps ? room[lane] : nothing, op);
}

} // namespace f2i::cuda
