// The limits of a GPU, measured: fused multiply-adds and tensor-core products a second (registers only), and copied
// bytes a second.
//
//   limits   -> {"f32Gflops":...,"f64Gflops":...,"tf32Gflops":...,"bf16Gflops":...,"f16Gflops":...,"copyGBs":...}
//
// Tensor cores are driven by mma.sync, which does not reach the peak of Hopper and later; those who compare take the
// fastest product of their run where it is faster. Built with nvcc -O3 -arch=native.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include <cuda_runtime.h>

namespace {

void check(cudaError_t error) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "limits: %s\n", cudaGetErrorString(error));
  std::exit(1);
}

constexpr int rounds = 4096, chains = 8, threads = 512;

/// Independent chains, enough to cover the latency of an addition.
template <class T> __global__ void multiply_add(T *sink) {
  T sums[chains];
  for (int c = 0; c < chains; ++c) sums[c] = T(threadIdx.x + c);
  const T factor = T(0.999), term = T(1e-3);
  for (int round = 0; round < rounds; ++round)
#pragma unroll
    for (int c = 0; c < chains; ++c) sums[c] = sums[c] * factor + term;
  T total = 0;
  for (int c = 0; c < chains; ++c) total += sums[c];
  if (total == T(-1)) *sink = total; // never, but the compiler cannot know
}

enum Kind { tf32, bf16, f16 };

/// One product of a warp: 16 x 8 sums of 8 (TF32) or 16 terms.
template <Kind kind> __device__ void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
#define F2I_MMA(shape)                                                                                                 \
  asm volatile("mma.sync.aligned." shape " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"                      \
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                                                        \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
  if constexpr (kind == tf32) F2I_MMA("m16n8k8.row.col.f32.tf32.tf32.f32");
  else if constexpr (kind == bf16) F2I_MMA("m16n8k16.row.col.f32.bf16.bf16.f32");
  else F2I_MMA("m16n8k16.row.col.f32.f16.f16.f32");
#undef F2I_MMA
#endif
}

template <Kind kind> __global__ void tensor_cores(float *sink) {
  float sums[chains][4] = {};
  const uint32_t a[4] = {threadIdx.x, 1, 2, 3}, b[2] = {threadIdx.x, 5}; // tiny numbers of every type
  for (int round = 0; round < rounds; ++round)
#pragma unroll
    for (int c = 0; c < chains; ++c) multiply<kind>(sums[c], a, b);
  float total = 0;
  for (int c = 0; c < chains; ++c) total += sums[c][0] + sums[c][1] + sums[c][2] + sums[c][3];
  if (total == -1.0f) *sink = total;
}

__global__ void copy(const uint4 *from, uint4 *to, size_t count) {
  for (size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x; i < count; i += size_t(gridDim.x) * blockDim.x) to[i] = from[i];
}

/// Seconds of the fastest of several launches.
template <class F> double fastest(F launch) {
  cudaEvent_t start, stop;
  check(cudaEventCreate(&start));
  check(cudaEventCreate(&stop));
  float best = 1e30f;
  for (int attempt = 0; attempt < 8; ++attempt) { // the first ones wake the clocks up
    check(cudaEventRecord(start));
    launch();
    check(cudaGetLastError());
    check(cudaEventRecord(stop));
    check(cudaEventSynchronize(stop));
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, start, stop));
    if (attempt >= 2) best = std::min(best, milliseconds);
  }
  return best * 1e-3;
}

} // namespace

int main() {
  cudaDeviceProp device;
  check(cudaGetDeviceProperties(&device, 0));
  const int blocks = device.multiProcessorCount * 8;
  void *from = nullptr, *to = nullptr;
  const size_t bytes = std::min<size_t>(size_t(2) << 30, device.totalGlobalMem / 4);
  check(cudaMalloc(&from, bytes));
  check(cudaMalloc(&to, bytes));
  check(cudaMemset(from, 1, bytes));
  const double all = double(rounds) * chains * blocks * threads, warps = all / 32;
  const double f32 = 2 * all / fastest([&] { multiply_add<float><<<blocks, threads>>>(static_cast<float *>(to)); });
  const double f64 = 2 * all / fastest([&] { multiply_add<double><<<blocks, threads>>>(static_cast<double *>(to)); });
  double tensor[3] = {};
  if (device.major >= 8) {
    float *const sink = static_cast<float *>(to);
    tensor[tf32] = 2.0 * 16 * 8 * 8 * warps / fastest([&] { tensor_cores<tf32><<<blocks, threads>>>(sink); });
    tensor[bf16] = 2.0 * 16 * 8 * 16 * warps / fastest([&] { tensor_cores<bf16><<<blocks, threads>>>(sink); });
    tensor[f16] = 2.0 * 16 * 8 * 16 * warps / fastest([&] { tensor_cores<f16><<<blocks, threads>>>(sink); });
  }
  const size_t count = bytes / sizeof(uint4);
  const double own = fastest([&] { copy<<<blocks * 4, 512>>>(static_cast<uint4 *>(from), static_cast<uint4 *>(to), count); });
  const double runtime = fastest([&] { check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice)); });
  std::printf("{\"f32Gflops\":%.0f,\"f64Gflops\":%.0f,\"tf32Gflops\":%.0f,\"bf16Gflops\":%.0f,\"f16Gflops\":%.0f,\"copyGBs\":%.1f}\n",
              f32 / 1e9, f64 / 1e9, tensor[tf32] / 1e9, tensor[bf16] / 1e9, tensor[f16] / 1e9,
              2.0 * double(bytes) / std::min(own, runtime) / 1e9); // read and written
}
