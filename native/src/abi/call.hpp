// One op call: its arguments are checked here, once, so that drivers need not;
// then it is queued. Messages read "op: operand: expected ..., found ...".
#pragma once

#include <initializer_list>
#include <memory>

#include "abi/device_ops.hpp"
#include "abi/guard.hpp"
#include "cpu/drivers.hpp"
#include "runtime/op_job.hpp"

namespace f2i::abi {

using Types = std::initializer_list<f2i_dtype>;

uint64_t bytes_per_element(f2i_dtype dtype);
const char *dtype_name(f2i_dtype dtype);

/// What does not depend on the op.
class AnyCall {
public:
  AnyCall(f2i_context *context, const char *name) : context_(context), name_(name) {
    require_context(context, name);
  }

  /// 0 or 1.
  bool flag(const char *field, int32_t value) const;
  /// One of f2i_activation_kind.
  f2i_activation_kind activation(const char *field, f2i_activation_kind kind) const;
  /// A field that is kept for later versions: 0.
  void reserved(int32_t value) const;

  /// An operand that is read.
  void input(View &view, const char *name, const f2i_matrix &matrix);
  /// The same, absent when its buffer is NULL.
  void optional_input(View &view, const char *name, const f2i_matrix &matrix);
  /// An operand that is written. It may overlap no input, but be exactly
  /// `in_place` (the view of an input given before).
  void output(View &view, const char *name, const f2i_matrix &matrix, const View *in_place = nullptr);
  void optional_output(View &view, const char *name, const f2i_matrix &matrix, const View *in_place = nullptr);

  /// Requirements of operands that were given before; an absent one fulfils all.
  void require_type(const View &view, Types types) const;
  void require_same_type(const View &view, const View &as) const;
  void require_shape(const View &view, int64_t rows, int64_t cols) const;
  void require_square(const View &view) const;
  /// a b and a + b of extents that are not negative; refuse what no shape can have. An empty matrix
  /// may have any number of rows, so that no buffer bounds them.
  int64_t product(const char *name, int64_t a, int64_t b) const;
  int64_t sum(const char *name, int64_t a, int64_t b) const;
  /// Inputs may be empty though the output is not: a sum of no terms is zero.
  void allow_empty_inputs() { empty_inputs_ = true; }

  [[noreturn]]
#if defined(__GNUC__)
  __attribute__((format(printf, 2, 3)))
#endif
  void invalid(const char *format, ...) const;

protected:
  void attach(OpJob &job) { job_ = &job; }
  /// False when the outputs are empty: then there is nothing to do.
  bool worth_running() const;
  f2i_context &context() const { return *context_; }
  const char *name() const { return name_; }

private:
  void bind(View &view, const char *name, const f2i_matrix &matrix, bool output, const View *in_place);
  void check_overlap(const Operand &output, const Operand &other, const View *in_place) const;
  const char *name_of(const View &view) const;

  f2i_context *const context_;
  const char *const name_;
  OpJob *job_ = nullptr;
  bool empty_inputs_ = false;
};

/// An op of one driver: fill op, give the operands, enqueue.
template <class Op> class Call : public AnyCall {
public:
  /// driver: the processor's.
  Call(f2i_context *context, const char *name, Driver<Op> driver)
      : AnyCall(context, name), job_(std::make_unique<DriverJob<Op>>(*context, name, choose(driver))), op(job_->op) {
    attach(*job_);
  }

  void enqueue() {
    if (worth_running()) context().enqueue(std::move(job_));
  }

  /// A copy of a list of the caller's that lives as long as the queued op.
  const int32_t *copy_list(const int32_t *list, int64_t count) { return job_->copy_list(list, count); }

private:
  Driver<Op> choose(Driver<Op> processor) const {
    if (!context().device) return processor;
    const Driver<Op> driver = context().device->ops().template of<Op>();
    if (driver == nullptr) refuse(F2I_UNSUPPORTED, "%s: no kernel of this device yet", name());
    return driver;
  }

  std::unique_ptr<DriverJob<Op>> job_;

public:
  Op &op;
};

} // namespace f2i::abi
