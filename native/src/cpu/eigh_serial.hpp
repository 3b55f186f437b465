// An Exec for work inside a task of the pool: one thread, everything else is the parent's.
#pragma once

#include "runtime/exec.hpp"

namespace f2i::cpu {

class SerialExec final : public Exec, private Pool {
public:
  explicit SerialExec(Exec &parent) : parent_(parent) {}

  Pool &pool() override { return *this; }
  f2i_isa isa() const override { return parent_.isa(); }
  bool cancelled() const override { return parent_.cancelled(); }
  /// On the queue thread only, before the tasks begin.
  void *scratch(uint64_t bytes) override { return parent_.scratch(bytes); }
  /// Tasks report by their status: the text is written by the driver.
  f2i_status fail(f2i_status status, const char *, ...) override { return status; }

private:
  int threads() const override { return 1; }
  void run(int64_t tasks, Body body, void *user) override {
    for (int64_t i = 0; i < tasks; ++i) body(user, i, 0);
  }

  Exec &parent_;
};

} // namespace f2i::cpu
