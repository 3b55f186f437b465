// Inner kernels of random_normal: plain declarations, one table an instruction set.
#pragma once

#include <stdint.h>

namespace f2i::cpu {

struct RandomNormalKernels {
  /// y[j] is element `element` + j of the stream of a seed: normals, or the words.
  void (*f32)(uint64_t seed, uint64_t element, int64_t n, float *y);
  void (*f64)(uint64_t seed, uint64_t element, int64_t n, double *y);
  void (*words)(uint64_t seed, uint64_t element, int64_t n, int32_t *y);
};

extern const RandomNormalKernels random_normal_portable, random_normal_avx2, random_normal_avx512;

} // namespace f2i::cpu
