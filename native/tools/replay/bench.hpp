// Times the cases of a script and writes a row of results for each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "context.hpp"
#include "limits.hpp"

namespace replay {

struct BenchOptions {
  std::string only = ".*";                           // a regular expression for names of cases
  std::vector<std::string> precisions = {"f32"};     // of products of f32 on a GPU: f32, tf32, bf16, f16
  int samples = 10;                                  // of each kind
  double seconds = 1;                                // for the samples of one kind
  uint64_t cold_bytes = uint64_t{1} << 30;           // what calls pass through before they come back to an operand
  double oracle_seconds = 4;                         // on the processor, estimated; above it the device's own f64 is the oracle
  std::string machine;                               // what times depend on beside the device, such as its driver
  std::string limits, commit = "unknown", out;       // out: a file that rows are appended to; "" for standard output alone
  double largest_flops = 1e18;                       // of a case; larger ones are left out
};

/// Returns 0 if rows were written and no result was wrong, 1 if one was, 3 if there is no row and nothing was wrong: no case
/// matches `only`, or the device lacks the ops or the memory. Cases that fail are named and have rows without speed.
int bench(const DeviceOptions &device, const std::vector<std::string> &stems, const BenchOptions &options);

} // namespace replay
