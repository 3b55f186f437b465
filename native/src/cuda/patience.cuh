// Waits that end. A barrier that counts wrongly would keep a GPU, and with it the machine's screen or its other users,
// until somebody resets it; a trap would end the process's use of it. So whoever has waited for too long waits for
// nothing any more: the kernel ends with sums that mean nothing, and a word of the host's memory says so.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace f2i::cuda {

/// Who gave up first, in the word that kernels set: 0 is nobody.
enum class GaveUp : uint32_t { no, copying, multiplying };

/// One thread's. Clock::now(): nanoseconds.
template <class Clock> class Patience {
public:
  /// Several seconds: what is waited for takes microseconds, and other processes may have the GPU in between.
  static constexpr uint64_t longest = uint64_t{4} << 30;

  __device__ __forceinline__ Patience(volatile uint32_t *word, GaveUp who) : word_(word), who_(who) {}

  /// Until over() is true. False, and from then on at once, where it was not within the time of one wait.
  template <class Over> __device__ __forceinline__ bool wait(const Over &over) {
    if (gone_) return false;
    if (over()) return true;
    const uint64_t began = Clock::now();
    while (!over()) {
      if (Clock::now() - began <= longest) continue;
      gone_ = true;
      *word_ = static_cast<uint32_t>(who_);
      __threadfence_system();
      return false;
    }
    return true;
  }
  __device__ __forceinline__ bool gone() const { return gone_; }

private:
  volatile uint32_t *const word_;
  const GaveUp who_;
  bool gone_ = false;
};

} // namespace f2i::cuda
