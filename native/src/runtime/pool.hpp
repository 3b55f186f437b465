// The worker threads of a context. Whoever calls run() is worker 0; the others
// spin briefly between parallel regions and then sleep.
#pragma once

#include <atomic>
#include <exception>
#include <thread>
#include <vector>

#include "runtime/exec.hpp"

namespace f2i {

class ThreadPool final : public Pool {
public:
  /// Starts threads - 1 workers. Throws std::system_error when it cannot.
  explicit ThreadPool(int threads);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int threads() const override { return static_cast<int>(workers_.size()) + 1; }
  /// Always from the same thread at a time, never from inside a task. What a
  /// task throws is thrown here, once all tasks have ended.
  void run(int64_t tasks, Body body, void *user) override;

private:
  void region(uint32_t tasks, Body body, void *user, int64_t first);
  bool take(int worker);
  void work(int worker);
  void stop();

  // A region is published by its ticket: epoch in the upper half, next task in
  // the lower. A worker reads the region's fields and then claims a task by
  // compare-and-swap; that succeeds only while the region it has read still
  // has unclaimed tasks, and the fields do not change before those are done.
  // So run() never waits for workers that are late or asleep.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  alignas(64) std::atomic<uint32_t> done_{0};
  std::atomic<bool> caller_sleeps_{false};
  alignas(64) std::atomic<uint32_t> tasks_{0};
  std::atomic<int64_t> first_{0};
  std::atomic<Body> body_{nullptr};
  std::atomic<void *> user_{nullptr};
  alignas(64) std::atomic<uint32_t> epoch_{0}; // what workers sleep on
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;
  std::vector<std::thread> workers_;
};

} // namespace f2i
