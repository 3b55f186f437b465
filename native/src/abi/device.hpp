#pragma once

#include <memory>

#include "f2i/f2i.h"
#include "runtime/device.hpp"

namespace f2i::abi {

/// The device that a context asks for; null for the processor. Refuses where there is none.
std::unique_ptr<Device> open_device(const f2i_context_desc &wanted);

} // namespace f2i::abi
