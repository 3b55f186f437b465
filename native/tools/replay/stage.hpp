// A case to be timed: its operands are made once, and what is timed runs on them again
// and again.
#pragma once

#include <map>
#include <vector>

#include "script.hpp"

namespace replay {

class Stage {
public:
  /// As written, or with every number of f32 and of the half types as f64 of the same value: the oracle.
  enum Precision { as_written, in_double };

  /// Makes `copies` of all operands, equal to each other. Throws Failed or ScriptError.
  Stage(f2i_context *context, const Script &script, const Case &each, int copies = 1, Precision precision = as_written);
  ~Stage();
  Stage(const Stage &) = delete;
  Stage &operator=(const Stage &) = delete;

  /// Enqueues what is timed, on one of the copies.
  void run(int copy = 0);
  const std::vector<Result> &results() const { return results_; }
  /// Waits; the numbers that the first copy left.
  std::vector<double> numbers(const Result &result);

private:
  /// Buffers of a copy by their numbers; in the oracle, what was written and is not yet of a type.
  struct Copy {
    std::map<uint64_t, f2i_buffer *> buffers;
    std::map<uint64_t, Bytes> pending;
  };
  void step(Copy &copy, const Step &step);
  void call(Copy &copy, Call call);
  void convert(Copy &copy, const Operand &operand);

  f2i_context *const context_;
  const Script &script_;
  const Precision precision_;
  std::vector<Step> timed_;
  std::vector<Result> results_;
  std::vector<Copy> copies_;
};

} // namespace replay
