#include "cuda/aside.hpp"

#include <condition_variable>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "cuda/on_device.hpp"

namespace f2i::cuda {

Aside::Aside(Exec &ex) : ex_(ex), device_(device_of(ex)), check_(device_.info().index) {
  if (cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking) != cudaSuccess) {
    (void)cudaGetLastError();
    stream_ = nullptr;
    message_ = "no stream for a check";
    return;
  }
  device_.turn_aside(stream_);
}

Aside::~Aside() {
  device_.turn_aside(nullptr);
  if (stream_ == nullptr || abandoned_) return;
  clear();
  (void)cudaStreamSynchronize(stream_);
  (void)cudaStreamDestroy(stream_);
  if (words_ != nullptr) (void)cudaFreeHost(words_);
  (void)cudaGetLastError();
}

void *Aside::scratch(uint64_t bytes) {
  blocks_.reserve(blocks_.size() + 1);
  void *data = nullptr;
  const cudaError_t error = stream_ != nullptr ? device_.allocate_for(stream_, &data, bytes) : cudaErrorMemoryAllocation;
  if (error == cudaSuccess) {
    blocks_.push_back(data);
    return data;
  }
  (void)cudaGetLastError();
  message_ = "no room of " + std::to_string(bytes) + " bytes for a check of the device";
  return nullptr;
}

void Aside::clear() {
  for (void *const block : blocks_) device_.free_for(stream_, block);
  blocks_.clear();
}

uint32_t *Aside::words() {
  if (words_ != nullptr) return words_;
  void *data = nullptr;
  if (cudaHostAlloc(&data, words_bytes, cudaHostAllocMapped) != cudaSuccess) {
    (void)cudaGetLastError();
    message_ = "no pinned memory for a check of the device";
    return nullptr;
  }
  std::memset(data, 0, words_bytes);
  return words_ = static_cast<uint32_t *>(data);
}

f2i_status Aside::fail(f2i_status status, const char *format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  message_ = text;
  return status;
}

/// CUDA waits without an end: a thread does, which may be left behind.
cudaError_t Aside::wait(std::chrono::milliseconds longest) {
  struct Waiting {
    std::mutex mutex;
    std::condition_variable over;
    bool is_over = false;
    cudaError_t error = cudaSuccess;
  };
  std::shared_ptr<Waiting> waiting;
  try {
    waiting = std::make_shared<Waiting>();
    std::thread([waiting, stream = stream_, index = device_.info().index] {
      const OnDevice on(index);
      const cudaError_t error = cudaStreamSynchronize(stream);
      (void)cudaGetLastError();
      const std::lock_guard lock(waiting->mutex);
      waiting->error = error;
      waiting->is_over = true;
      waiting->over.notify_one();
    }).detach();
  } catch (const std::exception &) { // no memory, or no more threads
    return cudaErrorMemoryAllocation;
  }
  std::unique_lock lock(waiting->mutex);
  if (waiting->over.wait_for(lock, longest, [&] { return waiting->is_over; })) return waiting->error;
  abandoned_ = true;
  return cudaErrorNotReady;
}

} // namespace f2i::cuda
