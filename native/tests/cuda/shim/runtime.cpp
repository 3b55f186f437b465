// The calls of the CUDA runtime that src/cuda makes, on a device that is this
// processor: streams run at once. F2I_SHIM_CAPABILITY (75, 80, 90) chooses what
// it says of itself, F2I_SHIM_MEMORY how many bytes it has, F2I_SHIM_DEVICES how
// many there are, F2I_SHIM_DRIVER the version of the driver (0: there is none).
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

#include "cuda_runtime.h"

namespace {

constexpr int runtime_version = 13000;

int number(const char *variable, int otherwise) {
  const char *const text = std::getenv(variable);
  return text != nullptr && *text != '\0' ? std::atoi(text) : otherwise;
}

/// What is allocated; a free of anything else, or twice, is an error.
class Heap {
public:
  int allocate(void **data, size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (bytes == 0 || used_ + bytes > total()) return cudaErrorMemoryAllocation;
    // Exactly as long as asked for, so that AddressSanitizer sees its end.
    void *memory = nullptr;
    if (posix_memalign(&memory, 256, bytes) != 0) return cudaErrorMemoryAllocation;
    std::memset(memory, 0xff, bytes); // NaN in every type of floats
    blocks_[memory] = bytes;
    used_ += bytes;
    *data = memory;
    return cudaSuccess;
  }
  int free(void *data) {
    const std::lock_guard lock(mutex_);
    if (data == nullptr) return cudaSuccess;
    const auto at = blocks_.find(data);
    if (at == blocks_.end()) return cudaErrorInvalidValue;
    used_ -= at->second;
    blocks_.erase(at);
    std::free(data);
    return cudaSuccess;
  }
  size_t total() const { return total_; }
  size_t used() const { return used_; }

private:
  std::mutex mutex_;
  std::map<void *, size_t> blocks_;
  size_t used_ = 0;
  const size_t total_ = static_cast<size_t>(number("F2I_SHIM_MEMORY", 1 << 30));
};

Heap &heap() {
  static Heap instance;
  return instance;
}

} // namespace

cudaError_t cudaDriverGetVersion(int *version) {
  *version = number("F2I_SHIM_DRIVER", runtime_version);
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = runtime_version;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int *count) {
  *count = 0;
  if (number("F2I_SHIM_DRIVER", runtime_version) < runtime_version) return cudaErrorInsufficientDriver;
  *count = number("F2I_SHIM_DEVICES", 1);
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}
cudaError_t cudaGetDevice(int *device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int) {
  std::snprintf(properties->name, sizeof properties->name, "host shim");
  properties->totalGlobalMem = heap().total();
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int) {
  const int capability = number("F2I_SHIM_CAPABILITY", 90);
  switch (attribute) {
  case cudaDevAttrComputeCapabilityMajor: *value = capability / 10; break;
  case cudaDevAttrComputeCapabilityMinor: *value = capability % 10; break;
  case cudaDevAttrMultiProcessorCount: *value = 4; break;
  case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = (capability >= 90 ? 227 : capability >= 80 ? 99 : 64) << 10; break;
  case cudaDevAttrMemoryPoolsSupported: *value = 1; break;
  }
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t *free, size_t *total) {
  *total = heap().total();
  *free = *total - heap().used();
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
  *stream = reinterpret_cast<cudaStream_t>(std::malloc(1));
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  std::free(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
  *event = reinterpret_cast<cudaEvent_t>(std::malloc(1));
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  std::free(event);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaMalloc(void **data, size_t bytes) { return heap().allocate(data, bytes); }
cudaError_t cudaFree(void *data) { return heap().free(data); }
cudaError_t cudaMemPoolCreate(cudaMemPool_t *pool, const cudaMemPoolProps *) {
  *pool = reinterpret_cast<cudaMemPool_t>(std::malloc(1));
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void *) { return cudaSuccess; }
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) { return cudaSuccess; }
cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  std::free(pool);
  return cudaSuccess;
}
cudaError_t cudaMallocFromPoolAsync(void **data, size_t bytes, cudaMemPool_t, cudaStream_t) {
  return heap().allocate(data, bytes);
}
cudaError_t cudaFreeAsync(void *data, cudaStream_t) { return heap().free(data); }
cudaError_t cudaHostAlloc(void **data, size_t bytes, unsigned) {
  *data = std::malloc(bytes);
  return *data != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFreeHost(void *data) {
  std::free(data);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  std::memmove(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t) {
  std::memset(to, value, bytes);
  return cudaSuccess;
}
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char *cudaGetErrorName(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "an error of the shim";
}
const char *cudaGetErrorString(cudaError_t error) {
  switch (error) {
  case cudaSuccess: return "no error";
  case cudaErrorMemoryAllocation: return "out of memory";
  case cudaErrorNoDevice: return "no device";
  case cudaErrorLaunchFailure: return shim::launch_error();
  default: return "invalid";
  }
}
