#include "runtime/op_job.hpp"

#include <algorithm>
#include <exception>
#include <new>

#include "runtime/op_exec.hpp"

namespace f2i {
namespace {

/// An op's stretch of a device's work: what its kernels use has come there before.
class OnDevice {
public:
  OnDevice(Device *device, const char *name, const OpJob &operands) : device_(device) {
    if (device_ == nullptr) return;
    status = device_->begin_op(name);
    for (const Operand &operand : operands) {
      if (status == F2I_OK) status = device_->use(operand.buffer->data, operand.output);
    }
  }
  ~OnDevice() {
    if (device_ != nullptr) device_->end_op();
  }
  f2i_status status = F2I_OK;

private:
  Device *const device_;
};

} // namespace

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
    f2i_buffer &buffer = *operand.buffer;
    if (failed) {
      buffer.poison = failed;
      continue;
    }
    if (operand.whole) buffer.cleanse();
    for (const CheckRef &check : checks_) { // reserved: nothing throws
      if (std::find(buffer.checks.begin(), buffer.checks.end(), check) == buffer.checks.end()) buffer.checks.push_back(check);
    }
  }
  checks_.clear();
}

/// Runs the driver; what prevented or failed it, or null.
FailureRef OpJob::attempt() {
  for (const Operand &operand : *this) {
    if (!operand.output && operand.buffer->known_failure()) return operand.buffer->poison;
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

  const OnDevice on(context_.device.get(), name_, *this);
  if (on.status != F2I_OK) return failure(on.status, context_.device->error());
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
  if (status == F2I_OK) {
    collect_checks(exec.check());
    return nullptr;
  }
  // Whatever a driver found in data that it had stopped computing, it was cancelled.
  if (status == F2I_CANCELLED || exec.cancelled()) return failure(F2I_CANCELLED, "cancelled while it ran");
  return failure(status, exec.message().empty() ? status_name(status) : exec.message());
}

bool OpJob::record(GraphMemory &memory) {
  for (const Operand &operand : *this) {
    if (operand.buffer->data == nullptr) return false;
    operand.view->data = static_cast<char *>(operand.buffer->data) + operand.offset;
  }
  const OnDevice on(context_.device.get(), name_, *this);
  OpExec exec(context_.pool, context_.isa, context_.memory, nullptr, &context_.queue.stopping(), context_.device.get(),
              context_.precision, &memory);
  return on.status == F2I_OK && execute(exec) == F2I_OK;
}

/// What the outputs depend on: the checks of the inputs, and of this op itself.
void OpJob::collect_checks(const CheckRef &own) {
  for (const Operand &operand : *this) {
    if (!operand.output) checks_.insert(checks_.end(), operand.buffer->checks.begin(), operand.buffer->checks.end());
  }
  if (own) {
    own->name(name_, tag_);
    checks_.push_back(own);
    context_.suspect(own);
  }
  if (checks_.empty()) return;
  for (const Operand &operand : *this) {
    if (operand.output) operand.buffer->checks.reserve(operand.buffer->checks.size() + checks_.size());
  }
}

FailureRef OpJob::failure(f2i_status status, std::string message) const {
  return std::make_shared<Failure>(Failure{status, tag_, name_, std::move(message)});
}

} // namespace f2i
