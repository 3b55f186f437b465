// cuBLAS at the products of a script, as a peer: opened at run time, where it is there.
#pragma once

#include <string>
#include <vector>

#include "bench.hpp"

namespace replay {

/// Rows for f32, f32 emulated on bf16 (where this cuBLAS has it), TF32, bf16, f16 and f64. 0 also where there is
/// no cuBLAS, which is said; 1 if a result was wrong.
int bench_cublas(const DeviceOptions &device, const std::vector<std::string> &stems, const BenchOptions &options);

} // namespace replay
