// What is known of Hopper's own kernels in this process, and who finds out.
#pragma once

#include "cuda/hopper_trial.hpp"

namespace f2i::cuda::hopper {

/// What is checked by itself: one may be wrong, and the other is used.
enum class Part { products, attention };

/// Computes things of its own, where such kernels go wrong, both ways (product_check.cu, attention_check.cu).
using Check = Finding(Exec &ex, f2i_status &status);

/// Whether kernels may be used on the device of this op, by F2I_CUDA_HOPPER and by what `check` found there: whoever asks
/// first finds out. False with a status: the op fails by it. alarm: of the device.
bool may_use(Exec &ex, Part part, Check *check, uint32_t *&alarm, f2i_status &status);

} // namespace f2i::cuda::hopper
