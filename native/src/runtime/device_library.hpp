// The library of a kind of device, opened when it is first asked for and kept.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "runtime/device.hpp"

namespace f2i {

/// Raised whenever anything that core and library share changes: this file, device.hpp, exec.hpp,
/// cpu/drivers.hpp, abi/device_ops.hpp. Both are built of one tree; a mix of two is refused.
constexpr uint32_t device_interface = 4;

struct DeviceRequest {
  int32_t index = 0;
  void *stream = nullptr;
};

/// What f2i_device_library() of the library returns. Texts are cut to `size`.
struct DeviceLibrary {
  uint32_t struct_size = sizeof(DeviceLibrary);
  uint32_t interface = device_interface;
  uint64_t layout = 0; // DeviceOps::layout(): sizes of what ops are made of
  const char *version = F2I_VERSION;
  f2i_status (*describe)(int32_t index, f2i_device_info *info, char *why, size_t size) = nullptr;
  f2i_status (*open)(const DeviceRequest *request, Device **out, char *why, size_t size) = nullptr;
};
using DeviceLibraryEntry = const DeviceLibrary *(*)();

/// Null, and why, where there is no such library or it is of another version.
const DeviceLibrary *device_library(f2i_device kind, const char *path, uint64_t layout, std::string &why);

} // namespace f2i
