// What tests may ask of the stand-in for Hopper's kernels (hopper.cpp).
#pragma once

namespace shim {

/// Kernels that hang end.
void release_hopper();

} // namespace shim
