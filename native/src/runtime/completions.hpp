// Who is told when a device has done something: a thread that waits for moments, one after the other, while the
// queue's thread goes on enqueuing. A thread rather than callbacks of the driver, which a device that is lost never
// makes: so each is told, and what is told may take its time without holding up the device.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "runtime/device.hpp"
#include "runtime/failure.hpp"

namespace f2i {

class Completion {
public:
  virtual ~Completion() = default;
  /// Once, in the order in which they were posted. lost: what went wrong with the device itself, or null.
  virtual void conclude(const FailureRef &lost) noexcept = 0;

private:
  friend class Completions;
  void *moment_ = nullptr;
  f2i_status marked_ = F2I_OK;
  std::unique_ptr<Completion> next_; // a list, so that posting cannot fail
};

class Completions {
public:
  /// exhausted: what is told where there is no memory to say what failed.
  Completions(Device &device, FailureRef exhausted);
  ~Completions() { stop(); }
  Completions(const Completions &) = delete;
  Completions &operator=(const Completions &) = delete;

  /// Concludes it when all that is enqueued on the device has run. The queue's thread.
  void post(std::unique_ptr<Completion> completion) noexcept;
  /// Concludes all that were posted, and ends the thread.
  void stop();

private:
  void work();
  FailureRef lost(f2i_status status, const char *why) const noexcept;

  Device &device_;
  const FailureRef exhausted_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::unique_ptr<Completion> first_;
  Completion *last_ = nullptr;
  bool stopping_ = false;
  char why_not_marked_[256] = "";
  std::thread thread_;
};

} // namespace f2i
