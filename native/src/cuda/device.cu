#include "cuda/device.hpp"

#include <cstdio>
#include <cstring>
#include <new>

namespace f2i::cuda {
namespace {

/// The calling thread's device is the caller's business: it is put back.
class OnDevice {
public:
  explicit OnDevice(int index) {
    if (cudaGetDevice(&before_) != cudaSuccess) before_ = index;
    error = before_ == index ? cudaSuccess : cudaSetDevice(index);
    changed_ = before_ != index;
  }
  ~OnDevice() {
    if (changed_) (void)cudaSetDevice(before_);
  }
  cudaError_t error = cudaSuccess;

private:
  int before_ = 0;
  bool changed_ = false;
};

int attribute(cudaDeviceAttr which, int index) {
  int value = 0;
  return cudaDeviceGetAttribute(&value, which, index) == cudaSuccess ? value : 0;
}

} // namespace

f2i_status status_of(cudaError_t error) {
  switch (error) {
  case cudaSuccess: return F2I_OK;
  case cudaErrorMemoryAllocation: return F2I_OUT_OF_MEMORY;
  case cudaErrorInvalidValue: return F2I_INTERNAL;
  case cudaErrorNoDevice:
  case cudaErrorInvalidDevice:
  case cudaErrorInsufficientDriver:
  case cudaErrorNotSupported: return F2I_UNSUPPORTED;
  default: return F2I_DEVICE_LOST; // a kernel's fault ends the process's use of the device
  }
}

f2i_status CudaDevice::open(int32_t index, cudaStream_t stream, Device **out, char *why, size_t size) {
  *out = nullptr;
  f2i_device_info info{};
  info.struct_size = sizeof info;
  if (const f2i_status status = describe(index, &info, why, size); status != F2I_OK) return status;
  CudaDevice *const device = new (std::nothrow) CudaDevice;
  if (device == nullptr) return F2I_OUT_OF_MEMORY;
  device->info_ = info;
  device->index_ = index;
  device->shared_limit_ = static_cast<uint64_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, index));
  device->stream_ = stream;
  const OnDevice on(index);
  cudaError_t error = on.error;
  if (error == cudaSuccess && stream == nullptr) {
    error = cudaStreamCreateWithFlags(&device->stream_, cudaStreamNonBlocking);
    device->own_stream_ = error == cudaSuccess;
  }
  if (error == cudaSuccess && attribute(cudaDevAttrMemoryPoolsSupported, index) != 0) {
    // A pool of the context's own: what it keeps goes with it, and nobody else's settings change.
    cudaMemPoolProps properties{};
    properties.allocType = cudaMemAllocationTypePinned;
    properties.location.type = cudaMemLocationTypeDevice;
    properties.location.id = index;
    error = cudaMemPoolCreate(&device->pool_, &properties);
    uint64_t keep = UINT64_MAX; // until trim(): giving memory back at each wait would cost each next op
    if (error == cudaSuccess) error = cudaMemPoolSetAttribute(device->pool_, cudaMemPoolAttrReleaseThreshold, &keep);
  }
  if (error != cudaSuccess) {
    std::snprintf(why, size, "GPU %d: %s", index, cudaGetErrorString(error));
    (void)cudaGetLastError();
    delete device;
    return status_of(error);
  }
  *out = device;
  return F2I_OK;
}

CudaDevice::~CudaDevice() {
  const OnDevice on(index_);
  if (stream_ != nullptr) (void)cudaStreamSynchronize(stream_);
  for (int i = 0; i < 2; ++i) {
    if (copied_[i] != nullptr) (void)cudaEventDestroy(copied_[i]);
    if (stages_[i] != nullptr) (void)cudaFreeHost(stages_[i]);
  }
  if (pool_ != nullptr) (void)cudaMemPoolDestroy(pool_);
  if (own_stream_) (void)cudaStreamDestroy(stream_);
}

f2i_status CudaDevice::failed(cudaError_t error, const char *call) noexcept {
  (void)cudaGetLastError();
  std::snprintf(error_, sizeof error_, "%s: %s (GPU %d, %s)", call, cudaGetErrorString(error), index_, info_.name);
  return status_of(error);
}

f2i_status CudaDevice::make_current() noexcept {
  const cudaError_t error = cudaSetDevice(index_);
  return error == cudaSuccess ? F2I_OK : failed(error, "cudaSetDevice");
}

void *CudaDevice::allocate(uint64_t bytes) noexcept {
  const OnDevice on(index_);
  void *data = nullptr;
  const cudaError_t error =
      pool_ != nullptr ? cudaMallocFromPoolAsync(&data, bytes, pool_, stream_) : cudaMalloc(&data, bytes);
  if (error == cudaSuccess) return data;
  (void)cudaGetLastError(); // out of memory is no fault: the context goes on
  return nullptr;
}

void CudaDevice::release(void *data) noexcept {
  const OnDevice on(index_);
  if (pool_ != nullptr) (void)cudaFreeAsync(data, stream_);
  else (void)cudaFree(data); // waits for the device
}

void CudaDevice::trim() noexcept {
  if (pool_ == nullptr) return;
  const OnDevice on(index_);
  (void)cudaMemPoolTrimTo(pool_, 0);
}

f2i_status CudaDevice::prepare_staging() noexcept {
  for (int i = 0; i < 2; ++i) {
    if (copied_[i] != nullptr) continue;
    cudaError_t error = cudaSuccess;
    if (stages_[i] == nullptr) error = cudaHostAlloc(&stages_[i], stage_bytes, cudaHostAllocDefault);
    if (error == cudaSuccess) error = cudaEventCreateWithFlags(&copied_[i], cudaEventDisableTiming);
    if (error != cudaSuccess) return failed(error, "pinned memory");
  }
  return F2I_OK;
}

f2i_status CudaDevice::write(void *to, const void *from, uint64_t bytes) noexcept {
  const OnDevice on(index_);
  if (const f2i_status status = prepare_staging(); status != F2I_OK) return status;
  for (uint64_t at = 0; at < bytes; at += stage_bytes) {
    const int stage = next_stage_;
    next_stage_ = 1 - stage;
    const uint64_t part = bytes - at < stage_bytes ? bytes - at : stage_bytes;
    cudaError_t error = cudaEventSynchronize(copied_[stage]); // its half may still be on its way
    if (error != cudaSuccess) return failed(error, "copy to the device");
    std::memcpy(stages_[stage], static_cast<const char *>(from) + at, part);
    error = cudaMemcpyAsync(static_cast<char *>(to) + at, stages_[stage], part, cudaMemcpyHostToDevice, stream_);
    if (error == cudaSuccess) error = cudaEventRecord(copied_[stage], stream_);
    if (error != cudaSuccess) return failed(error, "copy to the device");
  }
  return F2I_OK;
}

f2i_status CudaDevice::read(void *to, const void *from, uint64_t bytes) noexcept {
  const OnDevice on(index_);
  if (const f2i_status status = prepare_staging(); status != F2I_OK) return status;
  // One half is copied out while the other is filled.
  uint64_t begun[2] = {}, length[2] = {};
  const auto finish = [&](int stage) -> cudaError_t {
    if (length[stage] == 0) return cudaSuccess;
    const cudaError_t error = cudaEventSynchronize(copied_[stage]);
    if (error == cudaSuccess) std::memcpy(static_cast<char *>(to) + begun[stage], stages_[stage], length[stage]);
    length[stage] = 0;
    return error;
  };
  cudaError_t error = cudaSuccess;
  int stage = next_stage_;
  for (uint64_t at = 0; at < bytes && error == cudaSuccess; at += stage_bytes, stage = 1 - stage) {
    error = finish(stage);
    if (error != cudaSuccess) break;
    begun[stage] = at;
    length[stage] = bytes - at < stage_bytes ? bytes - at : stage_bytes;
    // In stream order, so that an earlier copy to the device has left this half, too.
    error = cudaMemcpyAsync(stages_[stage], static_cast<const char *>(from) + at, length[stage],
                            cudaMemcpyDeviceToHost, stream_);
    if (error == cudaSuccess) error = cudaEventRecord(copied_[stage], stream_);
  }
  for (int i = 0; i < 2 && error == cudaSuccess; ++i) error = finish((stage + i) % 2);
  next_stage_ = stage;
  return error == cudaSuccess ? F2I_OK : failed(error, "copy from the device");
}

f2i_status CudaDevice::wait() noexcept {
  const OnDevice on(index_);
  const cudaError_t error = cudaStreamSynchronize(stream_);
  return error == cudaSuccess ? F2I_OK : failed(error, "a kernel before this wait");
}

} // namespace f2i::cuda
