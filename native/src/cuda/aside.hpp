// Ops that a driver runs for itself, beside what the context has enqueued and even while that records a graph: on a
// stream and in memory of their own, which is not counted under the ceiling and goes with the object.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cuda/device.hpp"
#include "runtime/exec.hpp"

namespace f2i::cuda {

class Aside final : public Exec {
public:
  /// ex: of the op that runs. While the object lives, kernels go to its stream.
  explicit Aside(Exec &ex);
  ~Aside() override;
  Aside(const Aside &) = delete;
  Aside &operator=(const Aside &) = delete;

  Device *device() override { return &device_; }
  Pool &pool() override { return ex_.pool(); }
  f2i_isa isa() const override { return ex_.isa(); }
  bool cancelled() const override { return false; } // it is short
  void *scratch(uint64_t bytes) override;
  f2i_status fail(f2i_status status, const char *format, ...) override;

  /// A few words that the device and the host see at the same place; null: `message` says why not.
  uint32_t *words();
  /// Gives the memory of scratch() back, in the order of the stream.
  void clear();
  /// Until all that is enqueued has run. cudaErrorNotReady: it has not within the time; the object's stream and memory
  /// are then left alone for good. cudaErrorMemoryAllocation: there is no thread to wait.
  cudaError_t wait(std::chrono::milliseconds longest);

  cudaStream_t stream() const { return stream_; }
  const std::string &message() const { return message_; }
  static constexpr uint64_t words_bytes = 64;

private:
  Exec &ex_;
  CudaDevice &device_;
  const Waits::Check check_; // what is enqueued here may hang
  cudaStream_t stream_ = nullptr;
  uint32_t *words_ = nullptr;
  std::vector<void *> blocks_;
  bool abandoned_ = false;
  std::string message_;
};

} // namespace f2i::cuda
