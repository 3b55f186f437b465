// What tests may ask of the stand-in for Hopper's kernels (hopper.cpp).
#pragma once

namespace shim {

/// Whether kernels that hang do, and checks that stop.
void hold_hopper(bool hold);

} // namespace shim
