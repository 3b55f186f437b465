// What a context needs of a device other than the processor: memory, copies in
// and out, a wait, and its ops. All of it happens in the order of one stream.
// Implemented by a library that is opened at run time (device_library.hpp), so
// nothing here throws, and texts are given as plain characters.
#pragma once

#include <cstdint>

#include "f2i/f2i.h"

namespace f2i {

struct DeviceOps; // abi/device_ops.hpp

/// Used by the context's queue thread, but for info() and ops(), which never change.
class Device {
public:
  virtual ~Device() = default;
  virtual const f2i_device_info &info() const noexcept = 0;
  virtual const DeviceOps &ops() const noexcept = 0;

  /// Memory that work enqueued from now on may use, aligned to 256 bytes; null where there is no room.
  virtual void *allocate(uint64_t bytes) noexcept = 0;
  /// Work that is enqueued already may still use it.
  virtual void release(void *data) noexcept = 0;
  /// Gives memory that is kept for later back to the system.
  virtual void trim() noexcept = 0;

  /// Copies the caller's memory, which may change once this returns, to the device.
  virtual f2i_status write(void *to, const void *from, uint64_t bytes) noexcept = 0;
  /// Copies to the caller's memory; it holds the bytes once this returns.
  virtual f2i_status read(void *to, const void *from, uint64_t bytes) noexcept = 0;
  /// Until all that is enqueued has run.
  virtual f2i_status wait() noexcept = 0;
  /// Why the last call failed.
  virtual const char *error() const noexcept = 0;
};

} // namespace f2i
