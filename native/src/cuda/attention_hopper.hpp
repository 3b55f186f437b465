// Attention by Hopper's own instructions (attention_hopper.cu), which is used on a GPU once it has been right there
// (attention_check.cu).
#pragma once

#include "cuda/attention.cuh"

namespace f2i::cuda::hopper {

struct AttentionPath {
  /// Whether the device has it, and it pays or, with `always`, can be made so.
  bool (*suits)(Exec &ex, const attend::Problem<float> &p, bool always);
  /// Enqueues y and lse. False, with nothing of them written, where the library or the driver has none of it, or status
  /// says what failed. alarm: a word of the host's that is set where a kernel gives up (patience.cuh).
  bool (*attend)(Exec &ex, const attend::Problem<float> &p, const attend::Halves &halves, uint32_t *alarm, f2i_status &status);
};
const AttentionPath &attention_by_wgmma(); // attention_hopper.cu
/// The same, but in tests of the check, which have one that is wrong.
const AttentionPath &attention_path();

/// By attention_path(), where it suits and is trusted on this device; else false.
bool attention(Exec &ex, const attend::Problem<float> &p, const attend::Halves &halves, f2i_status &status);

} // namespace f2i::cuda::hopper

namespace f2i::cuda::attend {

/// By mma.sync (attention_half.cuh).
f2i_status by_mma(Exec &ex, const Problem<float> &p, const Halves &halves);

/// The op of f32 with operands rounded to bf16 or f16, by `way(ex, problem, halves)`.
using Way = f2i_status(Exec &ex, const Problem<float> &p, const Halves &halves, void *state);
f2i_status in_halves(Exec &ex, const Attention &op, f2i_dtype half, Way *way, void *state);

} // namespace f2i::cuda::attend
