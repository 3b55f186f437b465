// Contexts, waiting and cancellation.
#include <cstdlib>
#include <string_view>

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

/// Takes the failure to report, in queue order.
class TakeFailure final : public Job {
public:
  TakeFailure(f2i_context &context, FailureRef &slot) : context_(context), slot_(slot) {}
  void run() noexcept override {
    context_.wait_for_device();
    slot_ = context_.take_failure();
  }

private:
  f2i_context &context_;
  FailureRef &slot_;
};

class Notify final : public Job {
public:
  Notify(f2i_context &context, f2i_buffer *buffer, f2i_notify_fn fn, void *user)
      : context_(context), buffer_(buffer), fn_(fn), user_(user) {}

  void run() noexcept override {
    context_.wait_for_device();
    const f2i_failure report = report_of(buffer_ != nullptr ? buffer_->poison : context_.take_failure());
    fn_(user_, &report);
  }

  void drop() noexcept override {
    f2i_failure report = F2I_INIT(f2i_failure);
    report.status = F2I_CANCELLED;
    std::strcpy(report.op, "notify");
    std::strcpy(report.message, "the context was destroyed");
    fn_(user_, &report);
  }

private:
  f2i_context &context_;
  f2i_buffer *const buffer_;
  const f2i_notify_fn fn_;
  void *const user_;
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
      failure = context->take_failure();
    } else {
      const uint64_t number = context->queue.push(std::make_unique<TakeFailure>(*context, failure));
      context->queue.wait([&] { return context->queue.finished() >= number; });
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
    context->queue.push(std::make_unique<Notify>(*context, buffer, fn, user));
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
