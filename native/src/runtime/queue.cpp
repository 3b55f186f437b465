#include "runtime/queue.hpp"

#include <chrono>

#include "runtime/signals.hpp"
#include "runtime/spin.hpp"

namespace f2i {

Queue::Queue(std::function<void()> idle) : idle_(std::move(idle)) {
  const SignalsBlocked guard;
  thread_ = std::thread([this] { work(); });
}

uint64_t Queue::push(std::unique_ptr<Job> job) noexcept {
  bool asleep = false;
  uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    Job *const last = job.get();
    (first_ ? last_->next_ : first_) = std::move(job);
    last_ = last;
    number = pushed_.fetch_add(1) + 1;
    asleep = asleep_;
  }
  if (asleep) wake_.notify_one();
  return number;
}

void Queue::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_.store(true);
  }
  wake_.notify_one();
  thread_.join();
}

/// Takes everything queued, waiting for it; null when the queue has ended.
std::unique_ptr<Job> Queue::next() {
  using namespace std::chrono_literals;
  spin_until([&] { return !empty() || stopping_.load(); });
  std::unique_lock lock(mutex_);
  const auto ready = [&] { return first_ != nullptr || stopping_.load(); };
  asleep_ = true;
  if (!wake_.wait_for(lock, 5s, ready)) {
    lock.unlock();
    idle_();
    lock.lock();
    wake_.wait(lock, ready);
  }
  asleep_ = false;
  return std::move(first_);
}

void Queue::work() {
  while (std::unique_ptr<Job> job = next()) {
    while (job) {
      if (stopping_.load()) {
        job->drop();
      } else {
        job->run();
      }
      job = std::move(job->next_); // what it holds is gone before it counts as finished
      finished_.fetch_add(1);
      if (waiters_.load() > 0) {
        const std::lock_guard lock(progress_mutex_);
        progress_.notify_all();
      }
    }
  }
}

} // namespace f2i
