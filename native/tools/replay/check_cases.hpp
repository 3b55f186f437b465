// Every case of some scripts on a context: who passed, and the worst error of each op.
#pragma once

#include <string>
#include <vector>

#include "f2i/f2i.h"

namespace replay {

struct CheckOptions {
  std::string only = ".*"; // a regular expression for names of cases
  /// Ops that the device declares it lacks: refusing is right for them and for them only.
  std::vector<std::string> unsupported;
  int launches = 0; // of graphs of the calls of a case; 0: one call after the other
};

/// Prints a line for each failure and each op, and the sum; 0 if something passed and nothing failed.
int check(f2i_context *context, const std::vector<std::string> &stems, const CheckOptions &options);

} // namespace replay
