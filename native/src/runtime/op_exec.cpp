#include "runtime/op_exec.hpp"

#include <cstdarg>
#include <cstdio>

#include "runtime/device.hpp"

namespace f2i {

OpExec::~OpExec() {
  for (const auto &[data, bytes] : scratch_) {
    if (graph_ != nullptr) graph_->release(data);
    else memory_.release(data, bytes);
  }
}

bool OpExec::cancelled() const {
  return (token_ != nullptr && token_->load(std::memory_order_relaxed)) ||
         (stopping_ != nullptr && stopping_->load(std::memory_order_relaxed));
}

void *OpExec::scratch(uint64_t bytes) {
  scratch_.reserve(scratch_.size() + 1); // so that nothing throws once memory is taken
  void *const data = graph_ != nullptr ? graph_->allocate(bytes) : memory_.allocate(bytes);
  if (data == nullptr) {
    shortage_ = out_of_memory(memory_, bytes);
    if (message_.empty()) message_ = shortage_;
    return nullptr;
  }
  scratch_.emplace_back(data, bytes);
  if (device_ != nullptr && device_->use(data, true) != F2I_OK) {
    message_ = device_->error();
    return nullptr;
  }
  return data;
}

void *OpExec::keep(uint64_t bytes) {
  void *const data = scratch(bytes);
  if (data != nullptr && graph_ != nullptr) scratch_.pop_back(); // the graph's, until it ends
  return data;
}

f2i_status OpExec::judge_later(const void *at, uint64_t bytes, Judge judge) {
  if (device_ == nullptr) return Exec::judge_later(at, bytes, judge);
  if (bytes > most_judged) return fail(F2I_INTERNAL, "more to judge than there is room for");
  // What a graph's op finds differs each time that it runs.
  if (graph_ != nullptr) return fail(F2I_UNSUPPORTED, "an op that must be judged cannot be recorded");
  check_ = std::make_shared<Check>(judge);
  const f2i_status status = device_->peek(check_->bytes(), at, bytes);
  return status == F2I_OK ? status : fail(status, "%s", device_->error());
}

f2i_status OpExec::fail(f2i_status status, const char *format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  message_ = text;
  // A driver says what the memory was for; the figures belong to it.
  if (status == F2I_OUT_OF_MEMORY && !shortage_.empty()) message_ += "; " + shortage_;
  return status;
}

std::string out_of_memory(const Memory &memory, uint64_t bytes) {
  std::string text = "out of memory: asked for " + std::to_string(bytes) + " bytes, " +
                     std::to_string(memory.live()) + " live, ceiling ";
  return text + (memory.limit() == 0 ? "none" : std::to_string(memory.limit()));
}

} // namespace f2i
