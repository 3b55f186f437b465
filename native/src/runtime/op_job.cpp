#include "runtime/op_job.hpp"

#include <exception>
#include <new>

#include "runtime/op_exec.hpp"

namespace f2i {

void OpJob::run() noexcept {
  FailureRef failed;
  try {
    failed = attempt();
  } catch (...) { // not even a message could be made
    failed = context_.exhausted;
  }
  if (failed) context_.note(failed);
  for (const Operand &operand : *this) {
    if (!operand.output) continue;
    if (failed) {
      operand.buffer->poison = failed;
    } else if (operand.whole) {
      operand.buffer->poison = nullptr;
    }
  }
}

/// Runs the driver; what prevented or failed it, or null.
FailureRef OpJob::attempt() {
  for (const Operand &operand : *this) {
    if (!operand.output && operand.buffer->poison) return operand.buffer->poison;
  }
  if (token_ && token_->load()) return failure(F2I_CANCELLED, "cancelled before it ran");
  for (const Operand &operand : *this) {
    f2i_buffer &buffer = *operand.buffer;
    if (buffer.data == nullptr) {
      // Creation failed. An op that fills the buffer gets a second chance.
      if (!operand.whole) return buffer.poison;
      if (!context_.allocate(buffer)) return failure(F2I_OUT_OF_MEMORY, out_of_memory(context_.memory, buffer.bytes));
    }
    operand.view->data = static_cast<char *>(buffer.data) + operand.offset;
  }

  OpExec exec(context_.pool, context_.isa, context_.memory, token_.get(), &context_.queue.stopping(),
              context_.device.get(), context_.precision);
  f2i_status status = F2I_OK;
  try {
    status = execute(exec);
  } catch (const std::bad_alloc &) {
    return failure(F2I_OUT_OF_MEMORY, "out of memory outside of the ceiling");
  } catch (const std::exception &error) {
    return failure(F2I_INTERNAL, error.what());
  }
  if (status == F2I_OK) return nullptr;
  // Whatever a driver found in data that it had stopped computing, it was cancelled.
  if (status == F2I_CANCELLED || exec.cancelled()) return failure(F2I_CANCELLED, "cancelled while it ran");
  return failure(status, exec.message().empty() ? status_name(status) : exec.message());
}

FailureRef OpJob::failure(f2i_status status, std::string message) const {
  return std::make_shared<Failure>(Failure{status, tag_, name_, std::move(message)});
}

} // namespace f2i
