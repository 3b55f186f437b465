#include "cuda/device.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "cuda/gemm.cuh"
#include "cuda/on_device.hpp"
#include "runtime/copy.hpp"

namespace f2i::cuda {
namespace {

int attribute(cudaDeviceAttr which, int index) {
  int value = 0;
  return cudaDeviceGetAttribute(&value, which, index) == cudaSuccess ? value : 0;
}

} // namespace

f2i_status status_of(cudaError_t error) {
  switch (error) {
  case cudaSuccess: return F2I_OK;
  case cudaErrorMemoryAllocation: return F2I_OUT_OF_MEMORY;
  case cudaErrorNoDevice:
  case cudaErrorInvalidDevice:
  case cudaErrorInsufficientDriver:
  case cudaErrorNoKernelImageForDevice:
  case cudaErrorNotSupported: return F2I_UNSUPPORTED;
  // What a kernel or the device itself did wrong ends the process's use of it: every later call says so again.
  case cudaErrorECCUncorrectable:
  case cudaErrorIllegalAddress:
  case cudaErrorLaunchTimeout:
  case cudaErrorAssert:
  case cudaErrorHardwareStackError:
  case cudaErrorIllegalInstruction:
  case cudaErrorMisalignedAddress:
  case cudaErrorInvalidAddressSpace:
  case cudaErrorInvalidPc:
  case cudaErrorLaunchFailure: return F2I_DEVICE_LOST;
  default: return F2I_INTERNAL; // a call that was refused
  }
}

f2i_status CudaDevice::open(int32_t index, cudaStream_t stream, Device **out, char *why, size_t size) {
  *out = nullptr;
  f2i_device_info info{};
  info.struct_size = sizeof info;
  if (const f2i_status status = describe(index, &info, why, size); status != F2I_OK) return status;
  HopperUse hopper_use{};
  if (const f2i_status status = hopper::read_use(hopper_use, why, size); status != F2I_OK) return status;
  CudaDevice *const device = new (std::nothrow) CudaDevice;
  if (device == nullptr) return F2I_OUT_OF_MEMORY;
  device->info_ = info;
  device->index_ = index;
  device->wait_.waits = &Waits::of(index);
  device->hopper_use_ = hopper_use;
  device->shared_limit_ = static_cast<uint64_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, index));
  const char *const blocking = std::getenv("F2I_CUDA_BLOCKING");
  device->blocking_ = blocking != nullptr && std::strcmp(blocking, "1") == 0;
  const OnDevice on(index);
  cudaError_t error = on.error;
  if (error == cudaSuccess) error = device->lanes_.open(stream);
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
  if (hangs() || (wait_.waits != nullptr && wait_.waits->hanging())) { // what ends these things waits for the device
    lanes_.abandon();
    for (UploadSlots *const slots : {&small_in_, &large_in_}) slots->abandon();
    for (Deliveries *const slots : {&small_out_, &large_out_}) slots->abandon();
    return;
  }
  const OnDevice on(index_);
  lanes_.close();
  for (Moment *const moment : moments_) {
    for (const cudaEvent_t event : moment->passed) {
      if (event != nullptr) (void)cudaEventDestroy(event);
    }
    delete moment;
  }
  if (capture_ != nullptr) (void)cudaStreamDestroy(capture_);
  if (uint32_t *const word = alarm_.load()) (void)cudaFreeHost(word);
  if (pool_ != nullptr) (void)cudaMemPoolDestroy(pool_);
}

f2i_status CudaDevice::failed(cudaError_t error, const char *call) noexcept {
  (void)cudaGetLastError();
  if (error == cudaErrorNotReady) { // a wait was given up
    is_held_up();
    return is_lost(error_, sizeof error_) ? F2I_DEVICE_LOST : F2I_INTERNAL;
  }
  std::snprintf(error_, sizeof error_, "%s: %s (GPU %d, %s)", call, cudaGetErrorString(error), index_, info_.name);
  return status_of(error);
}

void CudaDevice::is_held_up() noexcept {
  lose("what hangs on the GPU since a check of Hopper's kernels holds up all work; start again with F2I_CUDA_HOPPER=0", true);
}

// ---- memory

void *CudaDevice::allocate(uint64_t bytes) noexcept {
  const OnDevice on(index_);
  void *data = nullptr;
  try {
    blocks_.reserve(blocks_.size() + 1);
    lanes_.begin(allocation);
    const cudaError_t error = pool_ != nullptr
                                  ? cudaMallocFromPoolAsync(&data, bytes, pool_, lanes_.stream(allocation))
                                  : cudaMalloc(&data, bytes);
    lanes_.end(allocation);
    if (error == cudaSuccess) {
      blocks_[data].written[allocation] = pool_ != nullptr ? lanes_.begun(allocation) : 0;
      return data;
    }
  } catch (const std::bad_alloc &) {
    if (data != nullptr) (void)(pool_ != nullptr ? cudaFreeAsync(data, lanes_.stream(allocation)) : cudaFree(data));
  }
  (void)cudaGetLastError(); // out of memory is no fault: the context goes on
  return nullptr;
}

void CudaDevice::release(void *block) noexcept {
  if (hangs()) return;
  const OnDevice on(index_);
  const auto at = blocks_.find(block);
  if (at == blocks_.end()) return;
  lanes_.begin(allocation);
  // Where it cannot be ordered behind its uses, the device is lost and nothing runs any more.
  (void)lanes_.use(allocation, at->second, true);
  if (pool_ != nullptr) (void)cudaFreeAsync(block, lanes_.stream(allocation));
  else (void)cudaFree(block); // waits for the device
  lanes_.end(allocation);
  blocks_.erase(at);
}

void CudaDevice::retire(void *, uint64_t bytes) noexcept {
  // A mark costs about as much as a launch: for blocks whose next use by another lane may be worth more.
  constexpr uint64_t large = 1 << 20;
  if (bytes < large || capturing_ || hangs()) return;
  const OnDevice on(index_);
  (void)lanes_.mark(kernels);
}

void CudaDevice::trim() noexcept {
  if (pool_ == nullptr || hangs()) return;
  const OnDevice on(index_);
  // What is freed in its order is free then.
  if (wait_.drain(lanes_.stream(allocation)) != cudaErrorNotReady) (void)cudaMemPoolTrimTo(pool_, 0);
}

// ---- work

f2i_status CudaDevice::begin_op(const char *name) noexcept {
  if (is_lost(error_, sizeof error_)) return F2I_DEVICE_LOST;
  const cudaError_t current = cudaSetDevice(index_); // the queue's thread is nobody else's
  if (current != cudaSuccess) return failed(current, "cudaSetDevice");
  if (capturing_) return F2I_OK;
  const uint64_t begun = lanes_.begun(kernels);
  if (begun % ops_between_marks == 0 && begun > 0) {
    if (const cudaError_t error = lanes_.mark(kernels); error != cudaSuccess) return failed(error, name);
  }
  if (begun - passed_.load() >= most_ops) {
    const uint64_t half = begun - most_ops / 2;
    if (const cudaError_t error = lanes_.wait(wait_, kernels, half); error != cudaSuccess) return failed(error, "a kernel before");
    passed_.store(half);
  }
  names_[(begun + 1) % most_ops].store(name);
  lanes_.begin(kernels);
  return F2I_OK;
}

f2i_status CudaDevice::use(void *block, bool writes) noexcept {
  if (capturing_) return F2I_OK; // a graph's blocks are waited for where it is launched
  const auto at = blocks_.find(block);
  if (at == blocks_.end()) return F2I_OK;
  const cudaError_t error = lanes_.use(kernels, at->second, writes);
  return error == cudaSuccess ? F2I_OK : failed(error, "an event");
}

void CudaDevice::end_op() noexcept {
  if (!capturing_) lanes_.end(kernels);
}

/// Through pinned memory, piece by piece.
cudaError_t CudaDevice::copy_in(Lane lane, UploadSlots &slots, char *to, const char *from, uint64_t bytes, Pool *pool) {
  for (uint64_t at = 0; at < bytes; at += slots.bytes()) {
    const uint64_t part = bytes - at < slots.bytes() ? bytes - at : slots.bytes();
    Slot *slot = nullptr;
    cudaError_t error = slots.take(slot);
    if (error != cudaSuccess) return error;
    if (pool != nullptr) copy(*pool, slot->data, from + at, part);
    else std::memcpy(slot->data, from + at, part);
    error = cudaMemcpyAsync(to + at, slot->data, part, cudaMemcpyHostToDevice, lanes_.stream(lane));
    if (error == cudaSuccess) error = cudaEventRecord(slot->copied, lanes_.stream(lane));
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

f2i_status CudaDevice::write(void *block, uint64_t offset, const void *from, uint64_t bytes, Pool &pool) noexcept {
  if (hangs() && is_lost(error_, sizeof error_)) return F2I_DEVICE_LOST;
  const OnDevice on(index_);
  const auto at = blocks_.find(block);
  if (at == blocks_.end()) return failed(cudaErrorInvalidValue, "copy to the device");
  lanes_.begin(uploads);
  cudaError_t error = lanes_.use(uploads, at->second, true);
  UploadSlots &slots = bytes <= small_bytes ? small_in_ : large_in_;
  if (error == cudaSuccess) {
    error = copy_in(uploads, slots, static_cast<char *>(block) + offset, static_cast<const char *>(from), bytes, &pool);
  }
  lanes_.end(uploads);
  return error == cudaSuccess ? F2I_OK : failed(error, "copy to the device");
}

f2i_status CudaDevice::upload(void *block, const void *from, uint64_t bytes) noexcept {
  cudaError_t error = cudaSuccess;
  if (capturing_) {
    // Copied now, and not again each time: the graph's launch waits for it as for any upload.
    lanes_.begin(uploads);
    const auto at = blocks_.find(block);
    if (at != blocks_.end()) error = lanes_.use(uploads, at->second, true);
    if (error == cudaSuccess) {
      error = copy_in(uploads, small_in_, static_cast<char *>(block), static_cast<const char *>(from), bytes, nullptr);
    }
    lanes_.end(uploads);
  } else {
    // In the order of the kernels: a few bytes are not worth a wait between lanes.
    error = copy_in(kernels, small_in_, static_cast<char *>(block), static_cast<const char *>(from), bytes, nullptr);
  }
  return error == cudaSuccess ? F2I_OK : failed(error, "copy to the device");
}

cudaError_t CudaDevice::copy_out(Lane lane, Deliveries &slots, char *to, const char *from, uint64_t bytes) {
  for (uint64_t at = 0; at < bytes; at += slots.bytes()) {
    const uint64_t part = bytes - at < slots.bytes() ? bytes - at : slots.bytes();
    Slot *slot = nullptr;
    cudaError_t error = slots.take(slot);
    if (error != cudaSuccess) return error;
    error = cudaMemcpyAsync(slot->data, from + at, part, cudaMemcpyDeviceToHost, lanes_.stream(lane));
    if (error == cudaSuccess) error = cudaEventRecord(slot->copied, lanes_.stream(lane));
    if (error != cudaSuccess) {
      slots.give_back(slot);
      return error;
    }
    slots.add(slot, to + at, part);
  }
  return cudaSuccess;
}

f2i_status CudaDevice::read(void *to, void *block, uint64_t offset, uint64_t bytes) noexcept {
  if (hangs() && is_lost(error_, sizeof error_)) return F2I_DEVICE_LOST;
  const OnDevice on(index_);
  const auto at = blocks_.find(block);
  if (at == blocks_.end()) return failed(cudaErrorInvalidValue, "copy from the device");
  lanes_.begin(downloads);
  cudaError_t error = lanes_.use(downloads, at->second, false);
  Deliveries &slots = bytes <= small_bytes ? small_out_ : large_out_;
  try {
    if (error == cudaSuccess) {
      error = copy_out(downloads, slots, static_cast<char *>(to), static_cast<const char *>(block) + offset, bytes);
    }
  } catch (const std::bad_alloc &) {
    error = cudaErrorMemoryAllocation;
  }
  lanes_.end(downloads);
  return error == cudaSuccess ? F2I_OK : failed(error, "copy from the device");
}

f2i_status CudaDevice::peek(void *to, const void *from, uint64_t bytes) noexcept {
  cudaError_t error = cudaErrorMemoryAllocation;
  try {
    error = copy_out(kernels, small_out_, static_cast<char *>(to), static_cast<const char *>(from), bytes);
  } catch (const std::bad_alloc &) {
  }
  return error == cudaSuccess ? F2I_OK : failed(error, "copy from the device");
}

// ---- waiting

cudaError_t CudaDevice::open_moment(Moment *&moment) {
  {
    const std::lock_guard lock(moments_mutex_);
    if (!moments_.empty()) {
      moment = moments_.back();
      moments_.pop_back();
    }
  }
  if (moment == nullptr) {
    moment = new (std::nothrow) Moment;
    if (moment == nullptr) return cudaErrorMemoryAllocation;
  }
  for (cudaEvent_t &event : moment->passed) {
    if (event != nullptr) continue;
    const cudaError_t error = cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

/// Until all that is enqueued has run and what was read has been handed over.
cudaError_t CudaDevice::drain() {
  cudaError_t error = small_out_.deliver(UINT64_MAX);
  if (error == cudaSuccess) error = large_out_.deliver(UINT64_MAX);
  for (int lane = kernels; lane <= downloads && error == cudaSuccess; ++lane) {
    error = wait_.drain(lanes_.stream(static_cast<Lane>(lane)));
  }
  return error;
}

f2i_status CudaDevice::mark(void **out) noexcept {
  *out = nullptr;
  if (hangs()) return F2I_OK; // await() says it
  const OnDevice on(index_);
  Moment *moment = nullptr;
  cudaError_t error = open_moment(moment);
  for (int lane = kernels; lane <= downloads && error == cudaSuccess; ++lane) {
    error = cudaEventRecord(moment->passed[lane], lanes_.stream(static_cast<Lane>(lane)));
  }
  if (error != cudaSuccess) {
    if (moment != nullptr) close_moment(moment);
    (void)cudaGetLastError();
    // Without an event, now: nobody who waits may be told before his memory has been written.
    error = drain();
    return error == cudaSuccess ? F2I_OK : failed(error, "the device");
  }
  moment->small = small_out_.added();
  moment->large = large_out_.added();
  moment->op = lanes_.begun(kernels);
  *out = moment;
  return F2I_OK;
}

void CudaDevice::close_moment(Moment *moment) noexcept {
  try {
    const std::lock_guard lock(moments_mutex_);
    moments_.push_back(moment);
    return;
  } catch (const std::bad_alloc &) {
  }
  for (const cudaEvent_t event : moment->passed) {
    if (event != nullptr) (void)cudaEventDestroy(event);
  }
  delete moment;
}

f2i_status CudaDevice::await(void *which, char *why, size_t size) noexcept {
  // Without a moment, mark() has waited.
  if (hangs() || which == nullptr) return is_lost(why, size) ? F2I_DEVICE_LOST : F2I_OK;
  const OnDevice on(index_);
  Moment *const moment = static_cast<Moment *>(which);
  // The pieces in the order in which they arrive, roughly: small ones are waited for the least.
  cudaError_t error = small_out_.deliver(moment->small);
  if (error == cudaSuccess) error = large_out_.deliver(moment->large);
  for (int lane = kernels; lane <= downloads && error == cudaSuccess; ++lane) {
    error = wait_(moment->passed[lane]);
  }
  const uint64_t op = moment->op;
  close_moment(moment);
  if (error == cudaSuccess) {
    if (passed_.load() < op) passed_.store(op);
    return is_lost(why, size) ? F2I_DEVICE_LOST : F2I_OK;
  }
  (void)cudaGetLastError();
  if (error == cudaErrorNotReady) {
    is_held_up();
    (void)is_lost(why, size);
    return F2I_DEVICE_LOST;
  }
  const uint64_t first = passed_.load() + 1;
  const char *const from = op >= first && op - first < most_ops ? names_[first % most_ops].load() : nullptr;
  if (from == nullptr) {
    std::snprintf(why, size, "%s (GPU %d, %s)", cudaGetErrorString(error), index_, info_.name);
  } else if (op == first) {
    std::snprintf(why, size, "a kernel of %s: %s (GPU %d, %s)", from, cudaGetErrorString(error), index_, info_.name);
  } else {
    std::snprintf(why, size, "a kernel of %s or of the %llu ops behind it, the last %s (F2I_CUDA_BLOCKING=1 tells which): %s (GPU %d, %s)",
                  from, static_cast<unsigned long long>(op - first), names_[op % most_ops].load(), cudaGetErrorString(error),
                  index_, info_.name);
  }
  return status_of(error);
}

// ---- what kernels and checks find out about the device

uint32_t *CudaDevice::alarm() noexcept {
  if (uint32_t *const word = alarm_.load()) return word;
  void *data = nullptr;
  if (cudaHostAlloc(&data, sizeof(uint32_t), cudaHostAllocMapped) != cudaSuccess) {
    (void)cudaGetLastError();
    return nullptr;
  }
  auto *const word = static_cast<uint32_t *>(data);
  *word = 0;
  alarm_.store(word);
  return word;
}

void CudaDevice::lose(const char *why, bool hangs) noexcept {
  const std::lock_guard lock(lost_mutex_);
  if (!lost_.load()) std::snprintf(why_lost_, sizeof why_lost_, "%s (GPU %d, %s)", why, index_, info_.name);
  lost_.store(true);
  if (!hangs) return;
  wait_.waits->hang();
  hangs_.store(true);
}

bool CudaDevice::is_lost(char *why, size_t size) noexcept {
  const uint32_t *const word = alarm_.load();
  if (!lost_.load() && word != nullptr && *static_cast<const volatile uint32_t *>(word) != 0) {
    hopper::gave_up(index_);
    lose("a kernel of Hopper's own waited for its operands in vain, and what has been computed since is wrong; another context "
         "of this process goes without such kernels",
         false);
  }
  if (!lost_.load()) return false;
  const std::lock_guard lock(lost_mutex_);
  std::snprintf(why, size, "%s", why_lost_);
  return true;
}

void CudaDevice::remark(char *text, size_t size) const noexcept {
  text[0] = '\0';
  if (info_.capability == 90) hopper::describe_check(index_, hopper_use_, text, size);
}

// ---- for Aside

cudaError_t CudaDevice::allocate_for(cudaStream_t stream, void **data, uint64_t bytes) {
  return pool_ != nullptr ? cudaMallocFromPoolAsync(data, bytes, pool_, stream) : cudaMalloc(data, bytes);
}

void CudaDevice::free_for(cudaStream_t stream, void *data) {
  (void)(pool_ != nullptr ? cudaFreeAsync(data, stream) : cudaFree(data));
}

// ---- graphs

f2i_status CudaDevice::begin_capture() noexcept {
  const OnDevice on(index_);
  // On a stream of its own: the caller's may be one that cannot be captured.
  cudaError_t error = cudaSuccess;
  if (capture_ == nullptr) error = cudaStreamCreateWithFlags(&capture_, cudaStreamNonBlocking);
  if (error == cudaSuccess) error = cudaStreamBeginCapture(capture_, cudaStreamCaptureModeRelaxed);
  if (error != cudaSuccess) return failed(error, "a graph");
  capturing_ = true;
  return F2I_OK;
}

f2i_status CudaDevice::end_capture(bool wanted, void **out) noexcept {
  *out = nullptr;
  const OnDevice on(index_);
  capturing_ = false;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  cudaError_t error = cudaStreamEndCapture(capture_, &graph);
  if (error == cudaSuccess && wanted) error = cudaGraphInstantiate(&exec, graph, 0);
  if (graph != nullptr) (void)cudaGraphDestroy(graph);
  if (error != cudaSuccess) return failed(error, "a graph");
  *out = exec;
  return F2I_OK;
}

f2i_status CudaDevice::launch(void *graph) noexcept {
  cudaError_t error = cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream());
  if (error == cudaSuccess) error = launched();
  return error == cudaSuccess ? F2I_OK : failed(error, "a graph");
}

void CudaDevice::end_graph(void *graph) noexcept {
  if (hangs()) return;
  const OnDevice on(index_);
  (void)cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
}

} // namespace f2i::cuda
