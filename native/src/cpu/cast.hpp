// Inner kernels of cast: plain declarations, one table an instruction set.
#pragma once

#include <stdint.h>

namespace f2i::cpu {

/// Converts n elements; the types are those of its place in the table.
using CastRow = void (*)(const void *x, int64_t n, void *y);

struct CastKernels {
  CastRow rows[6][6]; // [f2i_dtype of x][f2i_dtype of y]
};

extern const CastKernels cast_portable, cast_avx2, cast_avx512;

} // namespace f2i::cpu
