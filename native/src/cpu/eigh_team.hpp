// A few threads that go through many short phases together: a spinning barrier costs a fraction of a
// microsecond where waking the pool for every phase would cost more than the work.
#pragma once

#include <atomic>
#include <thread>

#include "runtime/exec.hpp"
#include "runtime/spin.hpp"

namespace f2i::cpu {

class Team {
public:
  explicit Team(int members) : members_(members) {}
  int members() const { return members_; }

  /// Returns once all members have arrived; what they wrote before is visible to all after.
  void barrier() {
    if (members_ == 1) return;
    const int round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members_) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    while (!spin_until([&] { return round_.load(std::memory_order_acquire) != round; }))
      std::this_thread::yield();
  }

private:
  const int members_;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<int> round_{0};
};

/// Runs body(team, member) on `members` threads of the pool. A member that waits keeps its worker busy,
/// so that every task gets a worker of its own as long as members <= pool.threads().
template <class F> void run_team(Pool &pool, int members, F &&body) {
  Team team(members);
  if (members == 1) return body(team, 0);
  pool.parallel_for(members, [&](int64_t member, int) { body(team, static_cast<int>(member)); });
}

} // namespace f2i::cpu
