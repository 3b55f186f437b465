// What went wrong with an op, shared by every buffer that it poisoned.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "f2i/f2i.h"

namespace f2i {

struct Failure {
  f2i_status status = F2I_INTERNAL;
  uint64_t tag = 0;   // of the op that failed, not of those that were skipped
  std::string op;     // "cholesky_factor"
  std::string message;
};

using FailureRef = std::shared_ptr<const Failure>; // null: nothing failed

/// "F2I_OUT_OF_MEMORY"; never null.
const char *status_name(f2i_status status);

/// As the C ABI reports it; all zero but struct_size when nothing failed.
f2i_failure report_of(const FailureRef &failure);

} // namespace f2i
