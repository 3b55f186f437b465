// Contexts, waiting and cancellation.
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <utility>

#include "abi/device.hpp"
#include "abi/guard.hpp"
#include "runtime/context.hpp"
#include "runtime/cpu.hpp"

using namespace f2i;
using abi::guard, abi::read_struct, abi::refuse, abi::require_context;

namespace {

constexpr int32_t most_threads = 1024;

f2i_isa isa_from_environment() {
  const char *const text = std::getenv("F2I_ISA");
  const std::string_view name = text != nullptr ? text : "";
  if (name.empty()) return best_isa();
  for (const f2i_isa isa : {F2I_ISA_PORTABLE, F2I_ISA_AVX2, F2I_ISA_AVX512}) {
    if (name == isa_name(isa)) return isa;
  }
  if (name == isa_name(F2I_ISA_AUTO)) return best_isa();
  refuse(F2I_INVALID_ARGUMENT, "context_create: F2I_ISA: expected auto, portable, avx2 or avx512, found \"%s\"", text);
}

f2i_isa choose_isa(f2i_isa wanted) {
  if (wanted < F2I_ISA_AUTO || wanted > F2I_ISA_AVX512) {
    refuse(F2I_INVALID_ARGUMENT, "context_create: isa: expected 0 to 3, found %d", wanted);
  }
  const f2i_isa isa = wanted == F2I_ISA_AUTO ? isa_from_environment() : wanted;
  if (isa > best_isa()) {
    refuse(F2I_UNSUPPORTED, "context_create: isa: expected at most %s (this processor and build), found %s",
           isa_name(best_isa()), isa_name(isa));
  }
  return isa;
}

int choose_threads(int32_t wanted) {
  if (wanted < 0 || wanted > most_threads) {
    refuse(F2I_INVALID_ARGUMENT, "context_create: threads: expected 0 to %d, found %d", most_threads, wanted);
  }
  return wanted == 0 ? std::min(usable_processors(), most_threads) : wanted;
}

/// Tells what went wrong, once all that was enqueued before has run.
class Report : public Completion {
public:
  /// In queue order: of a buffer, or what has failed since the last report.
  void gather(f2i_context &context, f2i_buffer *buffer) noexcept {
    try {
      if (buffer == nullptr) {
        suspects_ = context.take_suspects();
      } else if (buffer->known_failure()) {
        suspects_.add(buffer->poison);
      } else if (buffer->unread) {
        suspects_.add(std::exchange(buffer->unread, nullptr));
      } else {
        suspects_.add(buffer->checks);
      }
    } catch (...) {
      certain_ = context.exhausted;
    }
  }
  void conclude(const FailureRef &lost) noexcept final {
    FailureRef failure = certain_;
    try {
      // Of a device that is lost, what is known says more, and what is not known is never found out.
      if (lost) failure = suspects_.certain(lost);
      else if (!failure) failure = suspects_.conclude();
    } catch (...) {
      failure = out_of_memory_;
    }
    tell(failure);
  }

protected:
  explicit Report(const f2i_context &context) : out_of_memory_(context.exhausted) {}
  virtual void tell(const FailureRef &failure) noexcept = 0;

private:
  const FailureRef out_of_memory_;
  FailureRef certain_;
  Suspects suspects_;
};

/// Enqueued: reports when its turn comes and the device has done what was enqueued before.
class ReportJob final : public Job {
public:
  ReportJob(f2i_context &context, f2i_buffer *buffer, std::unique_ptr<Report> report)
      : context_(context), buffer_(buffer), report_(std::move(report)) {}
  void run() noexcept override {
    report_->gather(context_, buffer_);
    context_.when_done(std::move(report_));
  }
  void drop() noexcept override {
    static const FailureRef destroyed =
        std::make_shared<Failure>(Failure{F2I_CANCELLED, 0, "notify", "the context was destroyed"});
    report_->conclude(destroyed);
  }

private:
  f2i_context &context_;
  f2i_buffer *const buffer_;
  std::unique_ptr<Report> report_;
};

class Notification final : public Report {
public:
  Notification(const f2i_context &context, f2i_notify_fn fn, void *user) : Report(context), fn_(fn), user_(user) {}

private:
  void tell(const FailureRef &failure) noexcept override {
    const f2i_failure report = report_of(failure);
    fn_(user_, &report);
  }
  const f2i_notify_fn fn_;
  void *const user_;
};

/// What f2i_sync waits for.
struct Answer {
  std::mutex mutex;
  std::condition_variable told;
  bool known = false;
  FailureRef failure;
};

class Reply final : public Report {
public:
  Reply(const f2i_context &context, std::shared_ptr<Answer> answer) : Report(context), answer_(std::move(answer)) {}

private:
  void tell(const FailureRef &failure) noexcept override {
    const std::lock_guard lock(answer_->mutex);
    answer_->failure = failure;
    answer_->known = true;
    answer_->told.notify_one();
  }
  const std::shared_ptr<Answer> answer_;
};

} // namespace

extern "C" {

f2i_status f2i_context_create(const f2i_context_desc *desc, f2i_context **out) {
  return guard([&] {
    if (out == nullptr) refuse(F2I_INVALID_ARGUMENT, "context_create: out: expected a pointer, found NULL");
    *out = nullptr;
    const auto wanted = read_struct("context_create", desc, offsetof(f2i_context_desc, device));
    if (wanted.abi_version != F2I_ABI_VERSION) {
      refuse(F2I_ABI_MISMATCH, "context_create: abi_version: expected %u (version %s), found %u", F2I_ABI_VERSION,
             f2i_version(), wanted.abi_version);
    }
    const int threads = choose_threads(wanted.threads);
    const f2i_isa isa = choose_isa(wanted.isa);
    if (wanted.precision < F2I_PRECISION_F32 || wanted.precision > F2I_PRECISION_F16) {
      refuse(F2I_INVALID_ARGUMENT, "context_create: precision: expected 0 to 3, found %d", wanted.precision);
    }
    if (wanted.reserved != 0) refuse(F2I_INVALID_ARGUMENT, "context_create: reserved: expected 0, found %d", wanted.reserved);
    *out = new f2i_context(threads, isa, wanted.memory_limit, abi::open_device(wanted));
    (*out)->precision = wanted.precision;
  });
}

f2i_status f2i_context_destroy(f2i_context *context) {
  return guard([&] { delete context; });
}

f2i_status f2i_context_get_info(f2i_context *context, f2i_context_info *info) {
  return guard([&] {
    require_context(context, "context_get_info");
    read_struct("context_get_info", info);
    info->threads = context->pool.threads();
    info->isa = context->isa;
    info->reserved = 0;
    info->memory_limit = context->memory.limit();
    info->live_bytes = context->memory.live();
    info->peak_bytes = context->memory.peak();
    info->live_buffers = context->live_buffers.load(std::memory_order_relaxed);
    info->queued_ops = context->queue.pending();
  });
}

const char *f2i_last_error(const f2i_context *) { return abi::last_error(); }

f2i_status f2i_context_remark(f2i_context *context, char *text, uint64_t size) {
  return guard([&] {
    require_context(context, "context_remark");
    if (text == nullptr || size == 0) {
      refuse(F2I_INVALID_ARGUMENT, "context_remark: text: expected room for one character or more, found none");
    }
    text[0] = '\0';
    if (context->device) context->device->remark(text, size);
  });
}

f2i_status f2i_context_set_tag(f2i_context *context, uint64_t tag) {
  return guard([&] {
    require_context(context, "context_set_tag");
    context->tag = tag;
  });
}

f2i_status f2i_context_set_token(f2i_context *context, f2i_token *token) {
  return guard([&] {
    require_context(context, "context_set_token");
    context->token = token != nullptr ? token->flag : nullptr;
  });
}

f2i_status f2i_sync(f2i_context *context, f2i_failure *report) {
  return guard([&] {
    require_context(context, "sync");
    if (report != nullptr) read_struct("sync", report);
    FailureRef failure;
    if (context->queue.empty() && !context->device) {
      failure = context->take_suspects().conclude();
    } else {
      const auto answer = std::make_shared<Answer>();
      const uint64_t number = context->queue.push(
          std::make_unique<ReportJob>(*context, nullptr, std::make_unique<Reply>(*context, answer)));
      context->queue.wait([&] { return context->queue.finished() >= number; });
      std::unique_lock lock(answer->mutex);
      answer->told.wait(lock, [&] { return answer->known; });
      failure = answer->failure;
    }
    if (report != nullptr) {
      const uint32_t size = report->struct_size;
      *report = report_of(failure);
      report->struct_size = size;
    }
    if (failure) refuse(failure->status, "%s: %s", failure->op.c_str(), failure->message.c_str());
  });
}

f2i_status f2i_wait_room(f2i_context *context, uint64_t bytes) {
  return guard([&] {
    require_context(context, "wait_room");
    const uint64_t limit = context->memory.limit();
    if (limit == 0) return;
    context->queue.wait([&] {
      if (context->queue.empty()) return true;
      const uint64_t used = context->memory.live() + context->unallocated.load();
      return used <= limit && bytes <= limit - used;
    });
  });
}

f2i_status f2i_notify(f2i_context *context, f2i_buffer *buffer, f2i_notify_fn fn, void *user) {
  return guard([&] {
    require_context(context, "notify");
    if (fn == nullptr) refuse(F2I_INVALID_ARGUMENT, "notify: fn: expected a function, found NULL");
    if (buffer != nullptr && buffer->context != context) {
      refuse(F2I_INVALID_ARGUMENT, "notify: buffer: expected one of this context, found another's");
    }
    context->queue.push(
        std::make_unique<ReportJob>(*context, buffer, std::make_unique<Notification>(*context, fn, user)));
  });
}

f2i_status f2i_token_create(f2i_context *context, f2i_token **out) {
  return guard([&] {
    require_context(context, "token_create");
    if (out == nullptr) refuse(F2I_INVALID_ARGUMENT, "token_create: out: expected a pointer, found NULL");
    *out = nullptr;
    *out = new f2i_token;
  });
}

f2i_status f2i_token_cancel(f2i_token *token) {
  return guard([&] {
    if (token == nullptr) refuse(F2I_INVALID_ARGUMENT, "token_cancel: token: expected a handle, found NULL");
    token->flag->store(true);
  });
}

f2i_status f2i_token_destroy(f2i_token *token) {
  return guard([&] { delete token; });
}

} // extern "C"
