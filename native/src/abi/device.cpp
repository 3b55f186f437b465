// What a device is, and how a context gets one.
#include "abi/device.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "abi/device_ops.hpp"
#include "abi/guard.hpp"
#include "runtime/cpu.hpp"
#include "runtime/device_library.hpp"

namespace f2i::abi {
namespace {

const DeviceLibrary &library_of(const char *call, f2i_device device, const char *path) {
  if (device != F2I_DEVICE_CUDA) refuse(F2I_INVALID_ARGUMENT, "%s: device: expected 0 or 1, found %d", call, device);
  std::string why;
  const DeviceLibrary *const library = device_library(device, path, DeviceOps::layout(), why);
  if (library == nullptr) refuse(F2I_UNSUPPORTED, "%s: device: %s", call, why.c_str());
  return *library;
}

void require_index(const char *call, int32_t index) {
  if (index < 0) refuse(F2I_INVALID_ARGUMENT, "%s: index: expected 0 or more, found %d", call, index);
}

} // namespace

std::unique_ptr<Device> open_device(const f2i_context_desc &wanted) {
  if (wanted.device == F2I_DEVICE_CPU) {
    if (wanted.device_index != 0 || wanted.stream != nullptr) {
      refuse(F2I_INVALID_ARGUMENT, "context_create: device_index, stream: expected none on the CPU");
    }
    return nullptr;
  }
  const DeviceLibrary &library = library_of("context_create", wanted.device, wanted.library);
  require_index("context_create", wanted.device_index);
  const DeviceRequest request{wanted.device_index, wanted.stream};
  char why[300] = "";
  Device *device = nullptr;
  const f2i_status status = library.open(&request, &device, why, sizeof why);
  if (status != F2I_OK) refuse(status, "context_create: device: %s", why);
  return std::unique_ptr<Device>(device);
}

} // namespace f2i::abi

using namespace f2i;
using abi::guard, abi::refuse;

extern "C" f2i_status f2i_device_describe(f2i_device device, int32_t index, const char *path, f2i_device_info *info) {
  return guard([&] {
    abi::read_struct("device_describe", info, offsetof(f2i_device_info, free_bytes));
    const uint32_t size = info->struct_size;
    info->count = 0;
    f2i_device_info found = F2I_INIT(f2i_device_info);
    abi::require_index("device_describe", index);
    if (device == F2I_DEVICE_CPU) {
      if (index != 0) refuse(F2I_UNSUPPORTED, "device_describe: index: expected 0, found %d", index);
      found.count = 1;
      found.processors = usable_processors();
      std::snprintf(found.name, sizeof found.name, "CPU, %s", isa_name(best_isa()));
    } else {
      const DeviceLibrary &library = abi::library_of("device_describe", device, path);
      char why[300] = "";
      const f2i_status status = library.describe(index, &found, why, sizeof why);
      info->count = found.count;
      if (status != F2I_OK) refuse(status, "device_describe: %s", why);
    }
    found.struct_size = size;
    std::memcpy(info, &found, std::min<size_t>(size, sizeof found)); // of an older caller, what he has
  });
}
