// How calls are timed: samples of many calls with one wait, on the host's clock.
#pragma once

#include <functional>

#include "timing.hpp"

namespace replay {

/// Seconds of one call. A sample is as many calls as fill a twentieth of the time, `call(i)` for each, and one
/// `wait()`; at least three samples.
Timing measure(const std::function<void(int)> &call, const std::function<void()> &wait, int samples, double seconds);

} // namespace replay
