// What kernels and their drivers are written in. One source is compiled by nvcc
// for GPUs and, with F2I_CUDA_SHIM, as plain C++ for the shim of tests/cuda,
// which executes it on the processor. So: no triple chevrons, shared memory only
// through shared_memory<T>(), instructions only through mma.cuh.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <tuple>
#include <type_traits>

#include "cpu/drivers.hpp"
#include "cuda/device.hpp"
#include "runtime/exec.hpp"

namespace f2i::cuda {

using namespace f2i::cpu; // the structs of the ops

__host__ __device__ constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The block's shared memory as a T: one struct of plain arrays a kernel. The
/// launch gives sizeof(T) bytes.
template <class T> __device__ __forceinline__ T &shared_memory() {
#if defined(F2I_CUDA_SHIM)
  return *static_cast<T *>(shim::shared(sizeof(T)));
#else
  extern __shared__ __align__(16) unsigned char f2i_shared[];
  return *reinterpret_cast<T *>(f2i_shared);
#endif
}

/// Enqueues a kernel whose blocks run in clusters of so many neighbours in x (1: none); a failure names it.
template <class... P, class... A>
f2i_status launch_clusters(Exec &ex, const char *name, unsigned cluster, void (*kernel)(P...), dim3 grid, dim3 block,
                           size_t shared_bytes, A... arguments) {
  if (ex.cancelled()) return F2I_CANCELLED;
  std::tuple<P...> values{static_cast<P>(arguments)...};
  const CudaDevice &device = device_of(ex);
#if defined(F2I_CUDA_SHIM)
  cudaError_t error = shim::launch(device.stream(), name, grid, block, shared_bytes, [=] { std::apply(kernel, values); },
                                   static_cast<int>(cluster));
#else
  const auto *const function = reinterpret_cast<const void *>(kernel);
  cudaError_t error = cudaSuccess;
  if (shared_bytes > 48 << 10) { // beyond that a kernel must ask
    error = cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
  }
  if (error == cudaSuccess) {
    void *addresses[sizeof...(P)];
    std::apply([&](auto &...value) { size_t i = 0; ((addresses[i++] = &value), ...); }, values);
    cudaLaunchAttribute attribute{};
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim.x = cluster;
    attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
    cudaLaunchConfig_t config{};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared_bytes;
    config.stream = device.stream();
    config.attrs = &attribute;
    config.numAttrs = cluster > 1 ? 1 : 0;
    error = cudaLaunchKernelExC(&config, function, addresses);
  }
  (void)cudaGetLastError(); // a refused launch is not the next one's
#endif
  if (error == cudaSuccess) error = device.launched();
  if (error == cudaSuccess) return F2I_OK;
  return ex.fail(status_of(error), "kernel %s: %s", name, cudaGetErrorString(error));
}

template <class... P, class... A>
f2i_status launch(Exec &ex, const char *name, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes,
                  A... arguments) {
  return launch_clusters(ex, name, 1, kernel, grid, block, shared_bytes, arguments...);
}

/// F2I_LAUNCH(ex, (kernel<T>), grid, block, shared_bytes, arguments...)
#define F2I_LAUNCH(ex, kernel, ...) ::f2i::cuda::launch(ex, #kernel, kernel, __VA_ARGS__)
/// For drivers of several steps: returns what went wrong.
#define F2I_TRY(...)                                                                                                   \
  do {                                                                                                                 \
    if (const f2i_status f2i_tried = (__VA_ARGS__); f2i_tried != F2I_OK) return f2i_tried;                              \
  } while (false)

/// Calls f(float()) or f(double()) by the type of a matrix.
template <class F> f2i_status with_float(f2i_dtype dtype, F &&f) {
  return dtype == F2I_F64 ? f(double()) : f(float());
}

/// A matrix as a kernel gets it.
template <class T> struct Matrix {
  T *data = nullptr;
  int64_t ld = 0;
  __host__ __device__ T &operator()(int64_t i, int64_t j) const { return data[i * ld + j]; }
};
template <class T> Matrix<T> matrix_of(const View &view) { return {view.as<T>(), view.ld}; }
template <class T> Matrix<const T> input_of(const View &view) { return {view.as<const T>(), view.ld}; }

inline bool contiguous(const View &view) { return view.ld == view.cols || view.rows <= 1; }
inline int64_t size_of(f2i_dtype dtype) {
  switch (dtype) {
  case F2I_F64: return 8;
  case F2I_F32:
  case F2I_I32: return 4;
  case F2I_U8: return 1;
  default: return 2;
  }
}

} // namespace f2i::cuda
