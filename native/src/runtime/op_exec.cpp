#include "runtime/op_exec.hpp"

#include <cstdarg>
#include <cstdio>

namespace f2i {

OpExec::~OpExec() {
  for (const auto &[data, bytes] : scratch_) memory_.release(data, bytes);
}

bool OpExec::cancelled() const {
  return (token_ != nullptr && token_->load(std::memory_order_relaxed)) ||
         (stopping_ != nullptr && stopping_->load(std::memory_order_relaxed));
}

void *OpExec::scratch(uint64_t bytes) {
  scratch_.reserve(scratch_.size() + 1); // so that nothing throws once memory is taken
  void *const data = memory_.allocate(bytes);
  if (data == nullptr) {
    shortage_ = out_of_memory(memory_, bytes);
    if (message_.empty()) message_ = shortage_;
    return nullptr;
  }
  scratch_.emplace_back(data, bytes);
  return data;
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
