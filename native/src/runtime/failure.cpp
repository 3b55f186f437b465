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
