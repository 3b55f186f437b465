// How Hopper's copy engine sees a tensor in memory (CUDA driver API, "Tensor Map Object Management").
#pragma once

#include <cuda.h>

#include <cstdint>

#include "f2i/f2i.h"

namespace f2i::cuda::hopper {

/// A tensor of halves or f32, innermost dimension first, whose innermost entries are neighbours.
struct Tensor {
  static constexpr int most = 3;
  int dimensions = 2;
  const void *data = nullptr; // at a multiple of 16 bytes
  f2i_dtype type = F2I_F32;
  int64_t extents[most] = {1, 1, 1};
  int64_t strides[most] = {1, 0, 0}; // in entries; multiples of 16 bytes
  int64_t box[most] = {1, 1, 1};     // what one copy takes; 128 bytes of the innermost dimension
};

/// Boxes come with their rows of 128 bytes swizzled as products take them, zeros where they lie beyond the tensor. False
/// where the driver has no such maps, or not this one.
bool encode(CUtensorMap &map, const Tensor &tensor);

/// Whether the driver makes maps at all.
bool has_tensor_maps();

/// Was the kernel built for sm_90a? Elsewhere it is empty, and has hardly a register.
bool is_built_for_hopper(const void *kernel);

} // namespace f2i::cuda::hopper
