// What tests may ask of the stand-in for Hopper's kernels (hopper.cpp).
#pragma once

namespace shim {

/// Whether kernels that hang do, and checks that stop; those that did have ended when it returns.
void hold_hopper(bool hold);
/// Whether a kernel does.
bool hopper_hangs();

} // namespace shim
