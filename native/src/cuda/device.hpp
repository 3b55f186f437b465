// A GPU as a device of the core: one stream, memory in its order, staging.
#pragma once

#include <cuda_runtime.h>

#include "abi/device_ops.hpp"
#include "runtime/device.hpp"

namespace f2i::cuda {

f2i_status status_of(cudaError_t error);

class CudaDevice final : public Device {
public:
  /// stream: the caller's, or null for an own one. Null, and why, where there is no such device.
  static f2i_status open(int32_t index, cudaStream_t stream, Device **out, char *why, size_t size);
  static f2i_status describe(int32_t index, f2i_device_info *info, char *why, size_t size);
  ~CudaDevice() override;

  const f2i_device_info &info() const noexcept override { return info_; }
  const DeviceOps &ops() const noexcept override;
  void *allocate(uint64_t bytes) noexcept override;
  void release(void *data) noexcept override;
  void trim() noexcept override;
  f2i_status write(void *to, const void *from, uint64_t bytes) noexcept override;
  f2i_status read(void *to, const void *from, uint64_t bytes) noexcept override;
  f2i_status wait() noexcept override;
  const char *error() const noexcept override { return error_; }

  /// For the calling thread, which is the context's queue thread.
  f2i_status make_current() noexcept;
  cudaStream_t stream() const { return stream_; }
  int processors() const { return info_.processors; }
  int capability() const { return info_.capability; }
  /// Tensor cores with TF32 and asynchronous copies to shared memory.
  bool ampere() const { return info_.capability >= 80; }
  uint64_t shared_limit() const { return shared_limit_; }

private:
  CudaDevice() = default;
  f2i_status failed(cudaError_t error, const char *call) noexcept;
  f2i_status prepare_staging() noexcept;

  f2i_device_info info_{};
  int index_ = 0;
  uint64_t shared_limit_ = 0;
  cudaStream_t stream_ = nullptr;
  bool own_stream_ = false;
  cudaMemPool_t pool_ = nullptr; // null: cudaMalloc

  // Pinned memory in two halves: one is filled while the other is copied.
  static constexpr uint64_t stage_bytes = 8 << 20;
  void *stages_[2] = {};
  cudaEvent_t copied_[2] = {}; // the last copy that used a half
  int next_stage_ = 0;
  char error_[256] = "";
};

/// The device of an op that runs on one.
inline CudaDevice &device_of(Exec &ex) { return static_cast<CudaDevice &>(*ex.device()); }

} // namespace f2i::cuda
