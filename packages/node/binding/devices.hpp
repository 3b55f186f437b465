#pragma once

#include <napi.h>

namespace f2i::node {

/// describeDevice(device, index, library?): { name, count, capability, processors, memoryBytes, freeBytes }. Throws where there is no
/// such device, saying what is missing.
Napi::Value describe_device(const Napi::CallbackInfo &info);

/// countDevices(device, library?): how many there are, usable or not; 0 where nobody can say.
Napi::Value count_devices(const Napi::CallbackInfo &info);

} // namespace f2i::node
