#pragma once

#include <napi.h>

namespace f2i::node {

/// describeDevice(device, index, library?): { name, count, capability, processors, memoryBytes }. Throws where there is no
/// such device, saying what is missing.
Napi::Value describe_device(const Napi::CallbackInfo &info);

} // namespace f2i::node
