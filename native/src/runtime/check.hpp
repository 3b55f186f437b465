// A failure that only the device knows of, until it has run.
#pragma once

#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/exec.hpp"
#include "runtime/failure.hpp"

namespace f2i {

/// What kernels left for an op's judge. The bytes are copied in the background; whoever has waited for a moment behind
/// them concludes.
class Check {
public:
  explicit Check(Judge judge) : judge_(judge) {}
  void *bytes() { return bytes_; }
  void name(const char *op, uint64_t tag) { op_ = op, tag_ = tag; }

  /// Null: the op has done what it should. Any thread.
  FailureRef conclude() {
    const std::lock_guard lock(mutex_);
    if (!concluded_.load()) {
      char text[256] = "";
      const f2i_status status = judge_(bytes_, text, sizeof text);
      if (status != F2I_OK) failure_ = std::make_shared<Failure>(Failure{status, tag_, op_, text});
      concluded_.store(true);
    }
    return failure_;
  }
  /// True: conclude() only looks up.
  bool concluded() const { return concluded_.load(); }

private:
  const Judge judge_;
  const char *op_ = "";
  uint64_t tag_ = 0;
  std::mutex mutex_;
  std::atomic<bool> concluded_{false};
  FailureRef failure_;
  alignas(16) unsigned char bytes_[most_judged] = {};
};
using CheckRef = std::shared_ptr<Check>;

/// What may have gone wrong, in order: certain failures, and checks that are not concluded.
class Suspects {
public:
  bool empty() const { return list_.empty(); }
  void add(const FailureRef &failure) { list_.push_back({failure, nullptr}); }
  void add(const CheckRef &check) { list_.push_back({nullptr, check}); }
  void add(const std::vector<CheckRef> &checks) {
    for (const CheckRef &check : checks) add(check);
  }
  /// The first one, once a moment behind all of them has been awaited; null: all went well.
  FailureRef conclude() const {
    for (const auto &[failure, check] : list_) {
      if (failure) return failure;
      if (const FailureRef found = check->conclude()) return found;
    }
    return nullptr;
  }
  /// The certain one of the same status, which names its op; else the other.
  FailureRef certain(const FailureRef &other) const {
    for (const auto &[failure, check] : list_) {
      if (failure && failure->status == other->status) return failure;
    }
    return other;
  }
  /// Forgets what has turned out well.
  void prune() {
    std::erase_if(list_, [](const Suspect &s) { return s.check && s.check->concluded() && !s.check->conclude(); });
  }
  size_t size() const { return list_.size(); }

private:
  struct Suspect {
    FailureRef failure;
    CheckRef check;
  };
  std::vector<Suspect> list_;
};

} // namespace f2i
