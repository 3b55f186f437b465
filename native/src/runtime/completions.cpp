#include "runtime/completions.hpp"

#include <cstdio>
#include <utility>

#include "runtime/signals.hpp"

namespace f2i {

Completions::Completions(Device &device, FailureRef exhausted) : device_(device), exhausted_(std::move(exhausted)) {
  const SignalsBlocked guard;
  thread_ = std::thread([this] { work(); });
}

void Completions::post(std::unique_ptr<Completion> completion) noexcept {
  completion->marked_ = device_.mark(&completion->moment_);
  {
    const std::lock_guard lock(mutex_);
    if (completion->marked_ != F2I_OK) std::snprintf(why_not_marked_, sizeof why_not_marked_, "%s", device_.error());
    Completion *const last = completion.get();
    (first_ ? last_->next_ : first_) = std::move(completion);
    last_ = last;
  }
  wake_.notify_one();
}

void Completions::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Completions::work() {
  for (;;) {
    std::unique_ptr<Completion> completion;
    char why[256] = "";
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return first_ != nullptr || stopping_; });
      if (!first_) return;
      completion = std::move(first_);
      first_ = std::move(completion->next_);
      if (completion->marked_ != F2I_OK) std::snprintf(why, sizeof why, "%s", why_not_marked_);
    }
    f2i_status status = completion->marked_;
    if (status == F2I_OK) status = device_.await(completion->moment_, why, sizeof why);
    completion->conclude(status == F2I_OK ? nullptr : lost(status, why));
  }
}

FailureRef Completions::lost(f2i_status status, const char *why) const noexcept {
  try {
    return std::make_shared<Failure>(Failure{status, 0, "device", why});
  } catch (...) {
    return exhausted_;
  }
}

} // namespace f2i
