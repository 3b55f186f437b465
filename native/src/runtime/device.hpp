// What a context needs of a device other than the processor: memory, copies in
// and out, its ops, and moments to wait for. Nothing here waits for the device
// but await(), and a call that must because too much is on its way already.
// Implemented by a library that is opened at run time (device_library.hpp), so
// nothing here throws, and texts are given as plain characters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "f2i/f2i.h"

namespace f2i {

struct DeviceOps; // abi/device_ops.hpp
class Pool;       // exec.hpp

/// Used by the context's queue thread, but for info() and ops(), which never change, and what says otherwise.
class Device {
public:
  virtual ~Device() = default;
  virtual const f2i_device_info &info() const noexcept = 0;
  virtual const DeviceOps &ops() const noexcept = 0;

  // ---- memory

  /// A block aligned to 256 bytes; null where there is no room.
  virtual void *allocate(uint64_t bytes) noexcept = 0;
  /// Work that is enqueued already may still use it.
  virtual void release(void *block) noexcept = 0;
  /// Nothing that is enqueued from now on uses the block until somebody else gets it, who then waits for no more than
  /// what used it before.
  virtual void retire(void *block, uint64_t bytes) noexcept = 0;
  /// Gives memory that is kept for later back to the system.
  virtual void trim() noexcept = 0;

  // ---- work: an op's kernels are enqueued between begin_op() and end_op()

  /// name: a string that stays. Waits where very many ops are on their way.
  virtual f2i_status begin_op(const char *name) noexcept = 0;
  /// The op reads or writes the block.
  virtual f2i_status use(void *block, bool writes) noexcept = 0;
  virtual void end_op() noexcept = 0;

  /// Copies the caller's memory, which may change once this returns, to the device.
  virtual f2i_status write(void *block, uint64_t offset, const void *from, uint64_t bytes, Pool &pool) noexcept = 0;
  /// Copies to the caller's memory; it holds the bytes once a moment that is marked later has been awaited.
  virtual f2i_status read(void *to, void *block, uint64_t offset, uint64_t bytes) noexcept = 0;
  /// The same for a few bytes, behind the kernels of the op that has begun.
  virtual f2i_status peek(void *to, const void *from, uint64_t bytes) noexcept = 0;

  // ---- waiting

  /// The moment at which all that is enqueued has run; null where it has come already.
  virtual f2i_status mark(void **moment) noexcept = 0;
  /// Until then; what went wrong on the device is said. Ends the moment. Any thread, one at a time.
  virtual f2i_status await(void *moment, char *why, size_t size) noexcept = 0;

  // ---- graphs: work that is recorded once and enqueued as a whole

  /// Kernels are recorded from here to end_capture(), and nothing waits for what they use.
  virtual f2i_status begin_capture() noexcept = 0;
  /// graph: null where `wanted` is false, or something in between cannot be recorded.
  virtual f2i_status end_capture(bool wanted, void **graph) noexcept = 0;
  /// Between begin_op() and end_op(), which name the blocks that it uses.
  virtual f2i_status launch(void *graph) noexcept = 0;
  /// Once it does not run any more. Any thread.
  virtual void end_graph(void *graph) noexcept = 0;

  /// What its own checks have found so far, in words; "": nothing. Any thread.
  virtual void remark(char *text, size_t size) const noexcept { (void)std::snprintf(text, size, "%s", ""); }

  /// Why the last call of the queue thread failed.
  virtual const char *error() const noexcept = 0;
};

} // namespace f2i
