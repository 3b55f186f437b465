#include "runtime/pool.hpp"

#include <algorithm>
#include <utility>

#include "runtime/signals.hpp"
#include "runtime/spin.hpp"

namespace f2i {
namespace {

constexpr uint64_t ticket(uint32_t epoch, uint32_t task) {
  return static_cast<uint64_t>(epoch) << 32 | task;
}
constexpr uint32_t epoch_of(uint64_t ticket) { return static_cast<uint32_t>(ticket >> 32); }
constexpr uint32_t task_of(uint64_t ticket) { return static_cast<uint32_t>(ticket); }
constexpr uint32_t closed = UINT32_MAX; // a task number that no region reaches

} // namespace

ThreadPool::ThreadPool(int threads) {
  const SignalsBlocked guard;
  const int count = std::max(threads, 1) - 1;
  workers_.reserve(static_cast<size_t>(count));
  try {
    for (int i = 1; i <= count; ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (...) {
    stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stopping_.store(true);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (auto &worker : workers_) worker.join();
  workers_.clear();
}

void ThreadPool::run(int64_t tasks, Body body, void *user) {
  if (tasks <= 0) return;
  if (tasks == 1 || workers_.empty()) {
    for (int64_t i = 0; i < tasks; ++i) body(user, i, 0);
    return;
  }
  constexpr int64_t most = int64_t{1} << 31; // tasks of one region fit a ticket
  for (int64_t first = 0; first < tasks; first += most) {
    region(static_cast<uint32_t>(std::min(tasks - first, most)), body, user, first);
  }
}

void ThreadPool::region(uint32_t tasks, Body body, void *user, int64_t first) {
  const uint32_t epoch = epoch_of(ticket_.load(std::memory_order_relaxed)) + 1;
  ticket_.store(ticket(epoch, closed), std::memory_order_release); // late workers claim nothing
  body_.store(body, std::memory_order_relaxed);
  user_.store(user, std::memory_order_relaxed);
  first_.store(first, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  tasks_.store(tasks, std::memory_order_release); // who sees it, sees the closed ticket
  ticket_.store(ticket(epoch, 0), std::memory_order_release);
  epoch_.fetch_add(1); // seq_cst: ordered with the sleepers' own check below

  const auto wanted = static_cast<int>(std::min<uint32_t>(tasks - 1, 1u << 20));
  const int asleep = sleepers_.load();
  if (asleep > 0) {
    if (wanted >= asleep) {
      epoch_.notify_all();
    } else {
      for (int i = 0; i < wanted; ++i) epoch_.notify_one();
    }
  }

  while (take(0)) {
  }
  const auto finished = [&] { return done_.load(std::memory_order_acquire) == tasks; };
  if (!spin_until(finished)) {
    caller_sleeps_.store(true);
    for (uint32_t seen = done_.load(); seen != tasks; seen = done_.load()) done_.wait(seen);
    caller_sleeps_.store(false);
  }
  if (failed_.load(std::memory_order_acquire)) {
    failed_.store(false, std::memory_order_relaxed);
    std::rethrow_exception(std::exchange(error_, nullptr));
  }
}

/// Claims and runs one task of the current region; false when none is left.
bool ThreadPool::take(int worker) {
  uint64_t current = ticket_.load(std::memory_order_acquire);
  for (;;) {
    const uint32_t tasks = tasks_.load(std::memory_order_acquire);
    const Body body = body_.load(std::memory_order_relaxed);
    void *const user = user_.load(std::memory_order_relaxed);
    const int64_t first = first_.load(std::memory_order_relaxed);
    const uint32_t task = task_of(current);
    if (task >= tasks) {
      // Either the region is exhausted, or the fields belong to a later one.
      const uint64_t again = ticket_.load(std::memory_order_acquire);
      if (again == current) return false;
      current = again;
      continue;
    }
    if (!ticket_.compare_exchange_weak(current, ticket(epoch_of(current), task + 1),
                                       std::memory_order_acq_rel, std::memory_order_acquire)) {
      continue;
    }
    try {
      body(user, first + task, worker);
    } catch (...) {
      if (!failed_.exchange(true, std::memory_order_acq_rel)) error_ = std::current_exception();
    }
    if (done_.fetch_add(1) + 1 == tasks && caller_sleeps_.load()) done_.notify_one();
    return true;
  }
}

void ThreadPool::work(int worker) {
  uint32_t seen = 0;
  for (;;) {
    while (take(worker)) {
    }
    if (!spin_until([&] { return epoch_.load(std::memory_order_acquire) != seen; })) {
      sleepers_.fetch_add(1);
      epoch_.wait(seen);
      sleepers_.fetch_sub(1);
    }
    seen = epoch_.load();
    if (stopping_.load()) return;
  }
}

} // namespace f2i
