// Waits of the host for a GPU, which end even where what runs there does not.
//
// CUDA waits without an end: a thread in cudaEventSynchronize cannot be told that what it waits for will never come. So
// nobody is in such a call while a check runs kernels that may hang (hopper_check.cu): a check begins when those who wait
// have been answered, and who waits meanwhile, or once something hangs, asks again and again, at growing intervals. All
// other waits are CUDA's own.
#pragma once

#include <cuda_runtime.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace f2i::cuda {

/// Of one GPU, in all contexts of this process.
class Waits {
public:
  static Waits &of(int index);

  /// Until the event has passed. cudaErrorNotReady: what hangs on the GPU may hold it up for ever. given_up: whether the
  /// context waits for nothing any more; other contexts are told when they have waited for `patience`.
  cudaError_t wait(cudaEvent_t event, const std::atomic<bool> &given_up);
  /// The same, until all work of the stream has run.
  cudaError_t drain(cudaStream_t stream, const std::atomic<bool> &given_up);

  /// Something hangs, for good.
  void hang();
  bool hanging();

  /// While one lives, nobody is in a wait of CUDA's. The constructor waits for those who are.
  class Check {
  public:
    explicit Check(int index);
    ~Check();
    Check(const Check &) = delete;
    Check &operator=(const Check &) = delete;

  private:
    Waits &waits_;
  };

#if defined(F2I_CUDA_SHIM)
  static constexpr std::chrono::milliseconds patience{100}; // what is tested hangs
#else
  static constexpr std::chrono::seconds patience{10};
#endif

private:
  using Call = std::function<cudaError_t()>;
  cudaError_t until(const Call &block, const Call &ask, const std::atomic<bool> &given_up);

  std::mutex mutex_;
  std::condition_variable answered_; // blocked_ is 0
  int blocked_ = 0, checks_ = 0;
  bool hangs_ = false;
  std::chrono::steady_clock::time_point since_; // it hangs
};

/// The waits of a context.
struct Waiter {
  const std::atomic<bool> &given_up;
  Waits *waits = nullptr; // of its GPU

  cudaError_t operator()(cudaEvent_t event) const { return waits->wait(event, given_up); }
  cudaError_t drain(cudaStream_t stream) const { return waits->drain(stream, given_up); }
};

} // namespace f2i::cuda
