// A queued op: poison, cancellation and storage around a driver's call.
#pragma once

#include <vector>

#include "runtime/context.hpp"
#include "runtime/exec.hpp"
#include "runtime/graph_memory.hpp"

namespace f2i {

/// One operand of a queued op, bound to the view that the driver reads.
struct Operand {
  const char *name = "";
  View *view = nullptr;
  f2i_buffer *buffer = nullptr;
  uint64_t offset = 0; // bytes
  bool output = false;
  bool whole = false; // an output that covers every byte of its buffer
};

class OpJob : public Job {
public:
  /// name: a string that outlives the job.
  OpJob(f2i_context &context, const char *name)
      : context_(context), name_(name), tag_(context.tag), token_(context.token) {
    operands_.reserve(8);
  }

  void bind(const Operand &operand) { operands_.push_back(operand); }
  /// Copies a list that the driver reads.
  const int32_t *copy_list(const int32_t *list, int64_t count) {
    return lists_.emplace_back(list, list + count).data();
  }
  const Operand *begin() const { return operands_.data(); }
  const Operand *end() const { return operands_.data() + operands_.size(); }

  void run() noexcept final;
  /// Instead of run(): its kernels become part of the work that the device records. False where they cannot.
  bool record(GraphMemory &memory);
  /// A graph's op is cancelled by whoever launches it.
  void listen_to(const CancelFlag &token) { token_ = token; }

protected:
  virtual f2i_status execute(Exec &exec) = 0;

private:
  FailureRef attempt();
  void collect_checks(const CheckRef &own);
  FailureRef failure(f2i_status status, std::string message) const;

  f2i_context &context_;
  const char *const name_;
  const uint64_t tag_;
  CancelFlag token_;
  std::vector<Operand> operands_;
  std::vector<CheckRef> checks_; // of a run
  std::vector<std::vector<int32_t>> lists_;
};

/// A queued call of a driver with the struct of its arguments.
template <class Op> class DriverJob final : public OpJob {
public:
  DriverJob(f2i_context &context, const char *name, f2i_status (*driver)(Exec &, const Op &)) : OpJob(context, name), driver_(driver) {}
  Op op;

private:
  f2i_status execute(Exec &exec) override { return driver_(exec, op); }
  f2i_status (*const driver_)(Exec &, const Op &);
};

} // namespace f2i
