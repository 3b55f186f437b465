// The in-order queue of a context and its thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace f2i {

/// A unit of queued work: exactly one of run() and drop() is called, on the
/// queue thread, in queue order.
class Job {
public:
  virtual ~Job() = default;
  virtual void run() noexcept = 0;
  /// Instead of run() when the context is being destroyed.
  virtual void drop() noexcept {}

private:
  friend class Queue;
  std::unique_ptr<Job> next_; // in the queue: a list, so that pushing cannot fail
};

class Queue {
public:
  /// idle is called on the queue thread after five seconds without work: longer than what a loop
  /// over ops pauses, because blocks that were given back are faulted in and cleared again.
  explicit Queue(std::function<void()> idle);
  ~Queue() { stop(); }
  Queue(const Queue &) = delete;
  Queue &operator=(const Queue &) = delete;

  /// Returns the job's number: it has ended once finished() >= number.
  uint64_t push(std::unique_ptr<Job> job) noexcept;
  uint64_t finished() const { return finished_.load(); }
  uint64_t pending() const { return pushed_.load() - finished_.load(); }
  /// True while no job is queued or running; then what jobs wrote is visible.
  bool empty() const { return pending() == 0; }
  /// Drops what is queued, waits for the running job, ends the thread.
  void stop();
  /// True from the beginning of stop().
  const std::atomic<bool> &stopping() const { return stopping_; }

  /// Blocks until condition() holds; it is looked at after every job.
  template <class F> void wait(F &&condition) {
    if (condition()) return;
    waiters_.fetch_add(1);
    {
      std::unique_lock lock(progress_mutex_);
      progress_.wait(lock, condition);
    }
    waiters_.fetch_sub(1);
  }

private:
  void work();
  std::unique_ptr<Job> next();

  std::function<void()> idle_;
  std::mutex mutex_; // first_, last_, asleep_
  std::condition_variable wake_;
  std::unique_ptr<Job> first_;
  Job *last_ = nullptr;
  bool asleep_ = false;
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> pushed_{0}, finished_{0};
  std::mutex progress_mutex_;
  std::condition_variable progress_;
  std::atomic<int> waiters_{0};
  std::thread thread_;
};

} // namespace f2i
