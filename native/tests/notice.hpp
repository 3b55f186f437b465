// A notification that counts its calls and keeps the last report.
#pragma once

#include <atomic>

#include "f2i/f2i.h"

struct Notice {
  std::atomic<int> calls{0};
  f2i_failure report{};
  static void call(void *user, const f2i_failure *failure) {
    auto *const notice = static_cast<Notice *>(user);
    notice->report = *failure;
    notice->calls.fetch_add(1);
  }
};
