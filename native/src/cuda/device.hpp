// A GPU as a device of the core: lanes of work, memory of a pool, staging.
#pragma once

#include <cuda_runtime.h>

#include <atomic>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "abi/device_ops.hpp"
#include "cuda/lanes.hpp"
#include "cuda/staging.hpp"
#include "runtime/device.hpp"

namespace f2i::cuda {

f2i_status status_of(cudaError_t error);

/// When products are made by Hopper's own instructions (F2I_CUDA_HOPPER, hopper_check.cu).
enum class HopperUse { after_check, never, always };

class CudaDevice final : public Device {
public:
  /// stream: the caller's, or null for an own one. Null, and why, where there is no such device.
  static f2i_status open(int32_t index, cudaStream_t stream, Device **out, char *why, size_t size);
  static f2i_status describe(int32_t index, f2i_device_info *info, char *why, size_t size);
  ~CudaDevice() override;

  const f2i_device_info &info() const noexcept override { return info_; }
  const DeviceOps &ops() const noexcept override;
  const char *error() const noexcept override { return error_; }

  void *allocate(uint64_t bytes) noexcept override;
  void release(void *block) noexcept override;
  void retire(void *block, uint64_t bytes) noexcept override;
  void trim() noexcept override;

  f2i_status begin_op(const char *name) noexcept override;
  f2i_status use(void *block, bool writes) noexcept override;
  void end_op() noexcept override;
  f2i_status write(void *block, uint64_t offset, const void *from, uint64_t bytes, Pool &pool) noexcept override;
  f2i_status read(void *to, void *block, uint64_t offset, uint64_t bytes) noexcept override;
  f2i_status peek(void *to, const void *from, uint64_t bytes) noexcept override;

  f2i_status mark(void **moment) noexcept override;
  f2i_status await(void *moment, char *why, size_t size) noexcept override;

  f2i_status begin_capture() noexcept override;
  f2i_status end_capture(bool wanted, void **graph) noexcept override;
  f2i_status launch(void *graph) noexcept override;
  void end_graph(void *graph) noexcept override;
  void remark(char *text, size_t size) const noexcept override;

  // ---- for drivers

  /// Kernels are enqueued here.
  cudaStream_t stream() const { return aside_ != nullptr ? aside_ : capturing_ ? capture_ : lanes_.stream(kernels); }
  /// After a launch: where launches are to be waited for (F2I_CUDA_BLOCKING), what the kernel did.
  cudaError_t launched() const { return blocking_ && !capturing_ ? cudaStreamSynchronize(stream()) : cudaSuccess; }
  /// A short list of the host's to the beginning of a block of Exec::keep().
  f2i_status upload(void *block, const void *from, uint64_t bytes) noexcept;
  /// A word of the host's that kernels set when they have waited for too long (patience.cuh): from then on the device is
  /// lost to this context. Null: no memory.
  uint32_t *alarm() noexcept;
  /// From here on ops, and whoever waits, are told why the device is lost. hangs: what it runs may never end, so that
  /// nothing waits for it any more, either, and who waits already is answered.
  void lose(const char *why, bool hangs) noexcept;
  // ---- for Aside
  void turn_aside(cudaStream_t stream) { aside_ = stream; }
  cudaError_t allocate_for(cudaStream_t stream, void **data, uint64_t bytes);
  void free_for(cudaStream_t stream, void *data);

  int processors() const { return info_.processors; }
  int capability() const { return info_.capability; }
  /// Tensor cores with TF32 and asynchronous copies to shared memory.
  bool ampere() const { return info_.capability >= 80; }
  uint64_t shared_limit() const { return shared_limit_; }
  HopperUse hopper_use() const { return hopper_use_; }

private:
  struct Moment {
    cudaEvent_t passed[3] = {}; // kernels, uploads, downloads
    uint64_t small = 0, large = 0; // deliveries before it
    uint64_t op = 0;
  };

  CudaDevice() = default;
  f2i_status failed(cudaError_t error, const char *call) noexcept;
  /// Something that another context's check has found to hang holds up this one's work, too.
  void is_held_up() noexcept;
  cudaError_t copy_in(Lane lane, UploadSlots &slots, char *to, const char *from, uint64_t bytes, Pool *pool);
  cudaError_t copy_out(Lane lane, Deliveries &slots, char *to, const char *from, uint64_t bytes);
  cudaError_t open_moment(Moment *&moment);
  void close_moment(Moment *moment) noexcept;
  cudaError_t drain();
  bool is_lost(char *why, size_t size) noexcept;
  /// Whether calls that may wait for the device are not to be made any more.
  bool hangs() const noexcept { return hangs_.load(); }

  f2i_device_info info_{};
  int index_ = 0;
  uint64_t shared_limit_ = 0;
  HopperUse hopper_use_ = HopperUse::after_check;
  std::atomic<bool> hangs_{false};
  Waiter wait_{hangs_};
  Lanes lanes_;
  cudaMemPool_t pool_ = nullptr; // null: cudaMalloc
  std::unordered_map<void *, Uses> blocks_;
  bool blocking_ = false;

  // Small ones for lists, statistics and scalars, which need not wait behind large blocks.
  static constexpr uint64_t small_bytes = 64 << 10, large_bytes = 8 << 20;
  UploadSlots small_in_{wait_, small_bytes, 64}, large_in_{wait_, large_bytes, 8};
  Deliveries small_out_{wait_, small_bytes, 256}, large_out_{wait_, large_bytes, 32};

  // Ops on their way are bounded: what is enqueued holds memory and cannot be cancelled.
  static constexpr uint64_t most_ops = 1024, ops_between_marks = 64;
  std::atomic<const char *> names_[most_ops] = {}; // of the ops of the last numbers
  std::atomic<uint64_t> passed_{0};  // ops that are known to have run
  std::mutex moments_mutex_;
  std::vector<Moment *> moments_; // that are free

  cudaStream_t capture_ = nullptr;
  bool capturing_ = false;
  cudaStream_t aside_ = nullptr;
  std::atomic<uint32_t *> alarm_{nullptr};
  std::atomic<bool> lost_{false};
  std::mutex lost_mutex_;
  char why_lost_[256] = "";
  char error_[256] = "";
};

/// The device of an op that runs on one.
inline CudaDevice &device_of(Exec &ex) { return static_cast<CudaDevice &>(*ex.device()); }

} // namespace f2i::cuda
