#include "runtime/failure.hpp"

#include <algorithm>
#include <cstring>

namespace f2i {
namespace {

template <size_t N> void copy_text(char (&to)[N], const std::string &text) {
  const size_t count = std::min(text.size(), N - 1);
  std::memcpy(to, text.data(), count);
  to[count] = '\0';
}

} // namespace

const char *status_name(f2i_status status) {
  switch (status) {
  case F2I_OK: return "F2I_OK";
  case F2I_INVALID_ARGUMENT: return "F2I_INVALID_ARGUMENT";
  case F2I_UNSUPPORTED: return "F2I_UNSUPPORTED";
  case F2I_OUT_OF_MEMORY: return "F2I_OUT_OF_MEMORY";
  case F2I_IO: return "F2I_IO";
  case F2I_CANCELLED: return "F2I_CANCELLED";
  case F2I_NOT_POSITIVE_DEFINITE: return "F2I_NOT_POSITIVE_DEFINITE";
  case F2I_NO_CONVERGENCE: return "F2I_NO_CONVERGENCE";
  case F2I_POISONED: return "F2I_POISONED";
  case F2I_ABI_MISMATCH: return "F2I_ABI_MISMATCH";
  case F2I_DEVICE_LOST: return "F2I_DEVICE_LOST";
  case F2I_INTERNAL: return "F2I_INTERNAL";
  default: return "F2I_UNKNOWN_STATUS";
  }
}

f2i_failure report_of(const FailureRef &failure) {
  f2i_failure report = F2I_INIT(f2i_failure);
  if (failure) {
    report.status = failure->status;
    report.tag = failure->tag;
    copy_text(report.op, failure->op);
    copy_text(report.message, failure->message);
  }
  return report;
}

} // namespace f2i
