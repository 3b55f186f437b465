// Ridge regression of more targets than a device holds, from host memory through the C ABI: what a fit at the
// size of Brain-Diffuser's vision features costs from arrays to predictions.
#pragma once

#include "bench.hpp"

namespace replay {

/// Trials, voxels, targets; test trials are predicted.
struct RidgeSize {
  int64_t trials = 8859, voxels = 15724, targets = 197376, tests = 982;
};

/// Predictions x_test x^T (x x^T + shift I)^-1 y for random normals, timed from host memory to host memory and held
/// against float64 at sampled targets. 0 if they were right.
int bench_ridge(const DeviceOptions &device, const RidgeSize &size, const BenchOptions &options);

} // namespace replay
