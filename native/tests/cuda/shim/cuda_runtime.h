// The part of CUDA that src/cuda is written in, executed on the processor: a
// block at a time, its threads as fibres of one system thread. Found instead of
// the toolkit's header of this name where F2I_CUDA_SHIM is defined.
//
// What it sees that a GPU would not say:
//  - a barrier that some threads of a block or warp never reach, or reach at
//    another line: the launch fails and names the lines;
//  - a missing barrier: threads run in rising order in one launch and in falling
//    order in the next, and a warp as far ahead of the others as barriers let it,
//    so whatever depends on one that is missing is wrong in one of them;
//  - a missing wait for cp.async: bytes arrive when they are waited for, not before;
//  - blocks that depend on each other: they run in rising and falling order too;
//  - shared memory that is read before it is written: it begins as NaN; and with
//    -fsanitize=bounds or address, accesses outside of it and of global memory.
// What it does not see: memory ordering weaker than a barrier's, bank conflicts,
// limits of registers, and anything of speed.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <source_location>

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __restrict__ __restrict

// ---- threads ------------------------------------------------------------------

namespace shim {

using Site = std::source_location;

/// Where a thread stands; what kernels ask of it.
struct Place {
  dim3 thread, block, block_extent, grid_extent;
  int lane, warp;
};
extern thread_local const Place *place;

/// Barriers: return when all threads of the block, or of the warp, have come here.
void block_barrier(const Site &site);
void warp_barrier(unsigned mask, const Site &site);

/// Gives `bytes` of every lane to the others: pointers to them, valid until the lane's next exchange.
struct Exchange {
  const unsigned char *base;
  template <class T> T of(int lane) const {
    T value;
    std::memcpy(&value, base + lane * 64, sizeof value);
    return value;
  }
  uint32_t word(int lane, int index) const {
    uint32_t value;
    std::memcpy(&value, base + lane * 64 + index * 4, sizeof value);
    return value;
  }
};
Exchange exchange(unsigned mask, const void *value, size_t bytes, const Site &site);

/// The block's shared memory; fails the launch where it has fewer bytes.
void *shared(size_t bytes);
void copy_later(void *to, const void *from, size_t bytes, size_t used);
void commit_copies();
void wait_for_copies(int most_open);
/// Ends the launch with an error.
[[noreturn]] void fail(const char *what, const Site &site);

using Body = void (*)(const void *user);
/// The fibres of a stream; threads and blocks of its launches run in rising and in falling order, in turn.
void *make_machine();
void end_machine(void *machine);
/// Runs a kernel now: 0, or an error of the launch. machine: null for one of this system thread.
/// cluster: blocks, neighbours in x, that run at once.
int launch(dim3 grid, dim3 block, size_t shared_bytes, Body body, const void *user, void *machine = nullptr, int cluster = 1);
/// What the last failed launch did.
const char *launch_error(void *machine = nullptr);
/// Why no device takes this launch; null where one does.
const char *impossible_launch(dim3 grid, dim3 block, size_t shared_bytes, int cluster = 1);

} // namespace shim

#define threadIdx (shim::place->thread)
#define blockIdx (shim::place->block)
#define blockDim (shim::place->block_extent)
#define gridDim (shim::place->grid_extent)

inline void __syncthreads(shim::Site site = shim::Site::current()) { shim::block_barrier(site); }
inline void __syncwarp(unsigned mask = 0xffffffffu, shim::Site site = shim::Site::current()) {
  shim::warp_barrier(mask, site);
}
template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32, shim::Site site = shim::Site::current()) {
  const int lane = shim::place->lane;
  return shim::exchange(mask, &value, sizeof value, site).template of<T>((lane & ~(width - 1)) | (from & (width - 1)));
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, shim::Site site = shim::Site::current()) {
  const int lane = shim::place->lane, from = lane ^ bits;
  const auto all = shim::exchange(mask, &value, sizeof value, site);
  return (from & ~(width - 1)) == (lane & ~(width - 1)) ? all.template of<T>(from) : value;
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, shim::Site site = shim::Site::current()) {
  const int lane = shim::place->lane, from = lane - static_cast<int>(by);
  const auto all = shim::exchange(mask, &value, sizeof value, site);
  return from >= (lane & ~(width - 1)) ? all.template of<T>(from) : value;
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, shim::Site site = shim::Site::current()) {
  const int lane = shim::place->lane, from = lane + static_cast<int>(by);
  const auto all = shim::exchange(mask, &value, sizeof value, site);
  return from < (lane & ~(width - 1)) + width ? all.template of<T>(from) : value;
}
inline unsigned __ballot_sync(unsigned mask, int predicate, shim::Site site = shim::Site::current()) {
  const auto all = shim::exchange(mask, &predicate, sizeof predicate, site);
  unsigned bits = 0;
  for (int lane = 0; lane < 32; ++lane) bits |= (all.of<int>(lane) != 0 ? 1u : 0u) << lane;
  return bits;
}
inline int __any_sync(unsigned mask, int predicate, shim::Site site = shim::Site::current()) {
  return __ballot_sync(mask, predicate, site) != 0;
}
inline int __all_sync(unsigned mask, int predicate, shim::Site site = shim::Site::current()) {
  return __ballot_sync(mask, predicate, site) == mask;
}

// One fibre runs at a time, so plain operations are atomic.
template <class T> T atomicAdd(T *at, T value) {
  const T old = *at;
  *at = old + value;
  return old;
}
template <class T> T atomicMin(T *at, T value) {
  const T old = *at;
  *at = std::min(old, value);
  return old;
}
template <class T> T atomicMax(T *at, T value) {
  const T old = *at;
  *at = std::max(old, value);
  return old;
}
inline void __threadfence() {}
inline void __threadfence_system() {}

// ---- arithmetic -----------------------------------------------------------------

inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((uint64_t{a} * b) >> 32); }
inline unsigned __float_as_uint(float x) {
  unsigned bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
inline long long __double_as_longlong(double x) {
  long long bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline double __longlong_as_double(long long bits) {
  double x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }

// ---- the runtime's calls ----------------------------------------------------------

using cudaError_t = int;
enum : int {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorInsufficientDriver = 35,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorInvalidDeviceFunction = 98,
  cudaErrorNoKernelImageForDevice = 209,
  cudaErrorECCUncorrectable = 214,
  cudaErrorNotReady = 600,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchTimeout = 702,
  cudaErrorAssert = 710,
  cudaErrorHardwareStackError = 714,
  cudaErrorIllegalInstruction = 715,
  cudaErrorMisalignedAddress = 716,
  cudaErrorInvalidAddressSpace = 717,
  cudaErrorInvalidPc = 718,
  cudaErrorNotSupported = 801,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureIsolation = 905,
  cudaErrorLaunchFailure = 719,
};
enum cudaDeviceAttr {
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76,
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97,
  cudaDevAttrMemoryPoolsSupported = 115,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum { cudaStreamNonBlocking = 1, cudaEventBlockingSync = 1, cudaEventDisableTiming = 2, cudaHostAllocDefault = 0, cudaHostAllocMapped = 2 };
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4 };
enum cudaMemAllocationType { cudaMemAllocationTypePinned = 1 };
enum cudaMemLocationType { cudaMemLocationTypeDevice = 1 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
struct cudaFuncAttributes {
  int binaryVersion, numRegs;
};
struct cudaMemLocation {
  cudaMemLocationType type;
  int id;
};
struct cudaMemPoolProps {
  cudaMemAllocationType allocType;
  cudaMemLocation location;
};
struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
};
using cudaStream_t = struct ShimStream *;
using cudaEvent_t = struct ShimEvent *;
using cudaMemPool_t = struct ShimPool *;
using cudaGraph_t = struct ShimGraph *;
using cudaGraphExec_t = struct ShimGraphExec *;
enum cudaDriverEntryPointQueryResult { cudaDriverEntryPointSuccess, cudaDriverEntryPointSymbolNotFound };
enum { cudaEnableDefault = 0 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeRelaxed = 2 };

cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device);
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, const void *kernel);
cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **function, unsigned version, unsigned long long flags,
                                             cudaDriverEntryPointQueryResult *found);
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaMalloc(void **data, size_t bytes);
cudaError_t cudaFree(void *data);
cudaError_t cudaMemPoolCreate(cudaMemPool_t *pool, const cudaMemPoolProps *properties);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void *value);
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t bytes);
cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool);
cudaError_t cudaMallocFromPoolAsync(void **data, size_t bytes, cudaMemPool_t pool, cudaStream_t stream);
cudaError_t cudaFreeAsync(void *data, cudaStream_t stream);
cudaError_t cudaHostAlloc(void **data, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void *data);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaGetLastError();
const char *cudaGetErrorString(cudaError_t error);
const char *cudaGetErrorName(cudaError_t error);

namespace shim {

/// Enqueues a kernel on a stream (streams.cpp); the body is called by each thread.
int launch(cudaStream_t stream, const char *name, dim3 grid, dim3 block, size_t shared_bytes, std::function<void()> body,
           int cluster = 1);
/// Of the system thread: kernels and events go to streams of this one.
extern thread_local int current_device;
/// What the kernel did that failed.
const char *fault_text();

} // namespace shim
