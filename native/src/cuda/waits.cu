#include "cuda/waits.hpp"

#include <algorithm>
#include <map>
#include <thread>

namespace f2i::cuda {

using Clock = std::chrono::steady_clock;

Waits &Waits::of(int index) {
  // Not destroyed: contexts may end after what is static here.
  static std::mutex &mutex = *new std::mutex;
  static auto &all = *new std::map<int, Waits>;
  const std::lock_guard lock(mutex);
  return all[index];
}

cudaError_t Waits::wait(cudaEvent_t event, const std::atomic<bool> &given_up) {
  return until([=] { return cudaEventSynchronize(event); }, [=] { return cudaEventQuery(event); }, given_up);
}

cudaError_t Waits::drain(cudaStream_t stream, const std::atomic<bool> &given_up) {
  return until([=] { return cudaStreamSynchronize(stream); }, [=] { return cudaStreamQuery(stream); }, given_up);
}

cudaError_t Waits::until(const Call &block, const Call &ask, const std::atomic<bool> &given_up) {
  constexpr std::chrono::microseconds shortest{20}, longest{2000};
  const Clock::time_point began = Clock::now();
  for (std::chrono::microseconds pause = shortest;; pause = std::min(2 * pause, longest)) {
    bool too_long = false;
    {
      std::unique_lock lock(mutex_);
      if (checks_ == 0 && !hangs_) {
        ++blocked_;
        lock.unlock();
        const cudaError_t error = block();
        lock.lock();
        if (--blocked_ == 0) answered_.notify_all();
        return error;
      }
      too_long = hangs_ && Clock::now() - std::max(since_, began) > patience;
    }
    if (const cudaError_t error = ask(); error != cudaErrorNotReady) return error;
    (void)cudaGetLastError(); // which would be asked for by others
    if (given_up.load() || too_long) return cudaErrorNotReady;
    std::this_thread::sleep_for(pause);
  }
}

void Waits::hang() {
  const std::lock_guard lock(mutex_);
  if (!hangs_) since_ = Clock::now();
  hangs_ = true;
}

bool Waits::hanging() {
  const std::lock_guard lock(mutex_);
  return hangs_;
}

Waits::Check::Check(int index) : waits_(of(index)) {
  std::unique_lock lock(waits_.mutex_);
  ++waits_.checks_;
  waits_.answered_.wait(lock, [this] { return waits_.blocked_ == 0; });
}

Waits::Check::~Check() {
  const std::lock_guard lock(waits_.mutex_);
  --waits_.checks_;
}

} // namespace f2i::cuda
