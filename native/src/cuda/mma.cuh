// The instructions that the shim cannot take from plain C++: asynchronous copies
// to shared memory and the matrix products of a warp. Here they are PTX; in the
// shim, their definition (PTX ISA 8, "Matrix fragments for mma.m16n8k8", "cp.async").
#pragma once

#include "cuda/number.cuh"

namespace f2i::cuda {

/// `bytes` (4, 8 or 16) bytes to shared memory, of which the first `used` are read and the rest are zero.
/// Arrives with its group: commit_copies() ends one, wait_for_copies<n>() leaves the newest n open.
template <int bytes> __device__ __forceinline__ void copy_async(void *to, const void *from, int used) {
#if defined(F2I_CUDA_SHIM)
  shim::copy_later(to, from, bytes, static_cast<size_t>(used));
#elif __CUDA_ARCH__ >= 800
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(to));
  if constexpr (bytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(used) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address), "l"(from), "n"(bytes), "r"(used) : "memory");
  }
#else
  (void)to, (void)from, (void)used; // not called: such kernels are for sm_80 and newer
#endif
}
__device__ __forceinline__ void commit_copies() {
#if defined(F2I_CUDA_SHIM)
  shim::commit_copies();
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
template <int open> __device__ __forceinline__ void wait_for_copies() {
#if defined(F2I_CUDA_SHIM)
  shim::wait_for_copies(open);
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(open) : "memory");
#endif
}

/// x rounded to the 10 bits of mantissa of TF32, ties away from zero.
__device__ __forceinline__ uint32_t to_tf32(float x) {
#if defined(F2I_CUDA_SHIM)
  const uint32_t bits = bits_of(x);
  return x - x == 0 ? (bits + 0x1000u) & ~0x1fffu : bits & ~0x1fffu;
#elif __CUDA_ARCH__ >= 800
  uint32_t result;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(result) : "f"(x));
  return result;
#else
  return bits_of(x);
#endif
}

/// c[16, 8] += a[16, 8] b[8, 8] of a warp, in TF32 with sums in f32. With g = lane / 4, t = lane % 4, a
/// lane holds a: (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4); b: (t, g), (t + 4, g);
/// c: (g, 2 t), (g, 2 t + 1), (g + 8, 2 t), (g + 8, 2 t + 1).
__device__ __forceinline__ void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if defined(F2I_CUDA_SHIM)
  struct Fragment {
    uint32_t a[4], b[2];
  } own = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const auto all = shim::exchange(0xffffffffu, &own, sizeof own, shim::Site::current());
  const int g = shim::place->lane / 4, t = shim::place->lane % 4;
  const auto tf32 = [](uint32_t bits) { return static_cast<double>(float_of(bits & ~0x1fffu)); };
  double of_a[2][8], of_b[2][8]; // rows g and g + 8 of a, columns 2 t and 2 t + 1 of b
  for (int k = 0; k < 8; ++k) {
    const int high = k >= 4 ? 1 : 0;
    for (int half = 0; half < 2; ++half) {
      of_a[half][k] = tf32(all.word(g * 4 + k % 4, half + 2 * high));
      of_b[half][k] = tf32(all.word((2 * t + half) * 4 + k % 4, 4 + high));
    }
  }
  for (int e = 0; e < 4; ++e) {
    double sum = c[e];
    for (int k = 0; k < 8; ++k) sum += of_a[e / 2][k] * of_b[e % 2][k];
    // Tensor cores cut sums off where the processor would round them.
    const float rounded = static_cast<float>(sum);
    const bool away = std::abs(static_cast<double>(rounded)) > std::abs(sum);
    c[e] = away ? std::nextafter(rounded, 0.0f) : rounded;
  }
#elif __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  (void)c, (void)a, (void)b;
#endif
}

} // namespace f2i::cuda
