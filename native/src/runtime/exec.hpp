// What a kernel driver sees of the runtime: views of memory, the pool, scratch
// memory, cancellation and a way to fail. Drivers are ordinary C++; the inner
// kernels built for one instruction set (src/cpu/<op>.<isa>.cpp) must not
// include this file (see src/cpu/README.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "f2i/f2i.h"

namespace f2i {

/// A row-major matrix in memory; data is null for an absent optional operand.
struct View {
  void *data = nullptr;
  int64_t rows = 0, cols = 0, ld = 0;
  f2i_dtype dtype = F2I_F32;

  template <class T> T *as() const { return static_cast<T *>(data); }
  explicit operator bool() const { return data != nullptr; }
};

/// Threads of a context. Worker 0 is the queue thread, which runs the drivers.
class Pool {
public:
  using Body = void (*)(void *user, int64_t task, int worker);
  virtual ~Pool() = default;
  virtual int threads() const = 0;
  /// Runs body(user, i, worker) for i in [0, tasks), blocks until all are done.
  /// Tasks are handed out in increasing order, one at a time; which worker gets
  /// which task is not determined, so a task's result must not depend on it. With
  /// tasks <= threads() all of them run at once (they may wait for each other).
  virtual void run(int64_t tasks, Body body, void *user) = 0;

  template <class F> void parallel_for(int64_t tasks, F &&f) {
    using Function = std::remove_reference_t<F>;
    run(tasks, [](void *user, int64_t task, int worker) { (*static_cast<Function *>(user))(task, worker); },
        const_cast<void *>(static_cast<const void *>(&f)));
  }
};

class Device;

/// Looks at the few bytes that an op's kernels left: F2I_OK, or a status and a text of what failed.
constexpr uint64_t most_judged = 64;
using Judge = f2i_status (*)(const void *found, char *text, size_t size);

/// One op's execution.
class Exec {
public:
  virtual ~Exec() = default;
  /// Null on the processor. On a device, memory lies there and scratch() lasts until all that the
  /// driver enqueued has run.
  virtual Device *device() { return nullptr; }
  virtual Pool &pool() = 0;
  virtual f2i_isa isa() const = 0;
  /// What a device may round operands of products to.
  virtual f2i_precision precision() const { return F2I_PRECISION_F32; }
  /// True once the op's token is cancelled: poll it per tile, return F2I_CANCELLED.
  virtual bool cancelled() const = 0;
  /// 64-byte aligned memory, freed when the op ends, counted under the ceiling.
  /// Null when there is no room: return F2I_OUT_OF_MEMORY. Not from tasks.
  virtual void *scratch(uint64_t bytes) = 0;
  /// Records the message and returns the status, for `return ex.fail(...)`. The
  /// op's name is added where failures are reported. One task at a time.
#if defined(__GNUC__)
  __attribute__((format(printf, 3, 4)))
#endif
  virtual f2i_status fail(f2i_status status, const char *format, ...) = 0;

  /// For what is known only once kernels have run, such as a pivot that is not positive: up to `most_judged` bytes at
  /// `at`, in memory of the device, as the kernels that are enqueued leave them, are shown to the judge before
  /// anything is told that depends on this op. Nothing waits. Once an op: `return ex.judge_later(...)`.
  virtual f2i_status judge_later(const void *at, uint64_t bytes, Judge judge) {
    (void)bytes;
    char text[200] = "";
    const f2i_status status = judge(at, text, sizeof text);
    return status == F2I_OK ? status : fail(status, "%s", text);
  }
  /// Scratch memory for what is written once and read each time that the op runs: a graph keeps it to itself.
  virtual void *keep(uint64_t bytes) { return scratch(bytes); }

  template <class T> T *scratch_of(int64_t count) {
    return static_cast<T *>(scratch(static_cast<uint64_t>(count) * sizeof(T)));
  }
};

} // namespace f2i
