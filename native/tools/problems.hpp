// What f2i_bench runs: every op with random data of a given shape, its work in
// flops and bytes, and a check of sampled results against double arithmetic.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "f2i/f2i.h"

namespace bench {

struct Options {
  std::string op = "gemm";
  std::vector<int64_t> shape;
  f2i_dtype dtype = F2I_F32;
  int32_t threads = 0;
  f2i_isa isa = F2I_ISA_AUTO;
  double seconds = 1;
  uint64_t seed = 1;
  bool json = false;
  bool cold = false;
};

/// Throws std::runtime_error with the library's text.
void ok(f2i_status status);

class Problem {
public:
  virtual ~Problem() = default;
  /// Enqueues the op; may be called any number of times.
  virtual void enqueue() = 0;
  /// After a sync: the largest error of sampled results over what rounding
  /// explains. 1 and less is right; NaN and infinity are not.
  virtual double check() = 0;

  double flops = 0; // 0: has no agreed count
  double bytes = 0; // each operand once
};

/// An op with its data on a context. Throws std::invalid_argument for a shape
/// or dtype that the op does not have.
std::unique_ptr<Problem> make_problem(f2i_context *context, const Options &options);

struct OpHelp {
  const char *name, *shape, *example;
};
const std::vector<OpHelp> &ops();

} // namespace bench
