// The instructions that the shim cannot take from plain C++: asynchronous copies
// to shared memory and the matrix products of a warp. Here they are PTX; in the
// shim, their definition (PTX ISA 8, "Matrix fragments for mma.m16n8k8" and "mma.m16n8k16", "ldmatrix", "cp.async").
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

/// Numbers as sums of two of TF32, to 22 bits. One that rounds to infinity is cut off instead.
template <int n> __device__ __forceinline__ void split(const float (&x)[n], uint32_t (&big)[n], uint32_t (&small)[n]) {
#pragma unroll
  for (int u = 0; u < n; ++u) {
    big[u] = to_tf32(x[u]);
    if ((big[u] & 0x7f800000u) == 0x7f800000u) big[u] = bits_of(x[u]) & 0xffffe000u;
    small[u] = to_tf32(x[u] - float_of(big[u]));
  }
}

/// Two numbers, rounded to nearest, ties to even, in one register; `low` in its lower half.
template <class Half> __device__ __forceinline__ uint32_t narrow_two(float low, float high) {
#if !defined(F2I_CUDA_SHIM) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  uint32_t result;
  if constexpr (std::is_same_v<Half, Bf16>) asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
  else asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
  return result;
#else
  return static_cast<uint32_t>(narrow(low, Half()).bits) | static_cast<uint32_t>(narrow(high, Half()).bits) << 16;
#endif
}

#if defined(F2I_CUDA_SHIM)
/// Tensor cores cut sums off where the processor would round them.
inline float cut_off(double sum) {
  const float rounded = static_cast<float>(sum);
  const bool away = std::abs(static_cast<double>(rounded)) > std::abs(sum);
  return away ? std::nextafter(rounded, 0.0f) : rounded;
}
#endif

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
    c[e] = cut_off(sum);
  }
#elif __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  (void)c, (void)a, (void)b;
#endif
}

/// c[16, 8] += a[16, 16] b[16, 8] of a warp, in f16 or bf16 with sums in f32; two terms a register. A lane holds
/// a: (g, 2 t ..), (g + 8, 2 t ..), (g, 2 t + 8 ..), (g + 8, 2 t + 8 ..); b: (2 t .., g), (2 t + 8 .., g); c as above.
template <class Half>
__device__ __forceinline__ void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Half) {
#if defined(F2I_CUDA_SHIM)
  struct Fragment {
    uint32_t a[4], b[2];
  } own = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const auto all = shim::exchange(0xffffffffu, &own, sizeof own, shim::Site::current());
  const int g = shim::place->lane / 4, t = shim::place->lane % 4;
  const auto term = [](uint32_t pair, int k) {
    return static_cast<double>(widen(Half{static_cast<uint16_t>(k % 2 == 0 ? pair & 0xffffu : pair >> 16)}));
  };
  double of_a[2][16], of_b[2][16]; // rows g and g + 8 of a, columns 2 t and 2 t + 1 of b
  for (int k = 0; k < 16; ++k) {
    const int high = k / 8, lane = k % 8 / 2;
    for (int half = 0; half < 2; ++half) {
      of_a[half][k] = term(all.word(g * 4 + lane, half + 2 * high), k);
      of_b[half][k] = term(all.word((2 * t + half) * 4 + lane, 4 + high), k);
    }
  }
  for (int e = 0; e < 4; ++e) {
    double sum = c[e];
    for (int k = 0; k < 16; ++k) sum += of_a[e / 2][k] * of_b[e % 2][k];
    c[e] = cut_off(sum);
  }
#elif __CUDA_ARCH__ >= 800
  if constexpr (std::is_same_v<Half, Bf16>) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
#else
  (void)c, (void)a, (void)b;
#endif
}

/// Four matrices of 8 x 8 halves from shared memory. Lane 8 i + r gives the address of row r of matrix i, 16 bytes
/// aligned to as many; a lane gets of matrix i, in result[i], entries (g, 2 t) and (g, 2 t + 1), or transposed:
/// (2 t, g) and (2 t + 1, g).
template <bool transposed> __device__ __forceinline__ void load_four(uint32_t (&result)[4], const void *row) {
#if defined(F2I_CUDA_SHIM)
  const auto all = shim::exchange(0xffffffffu, &row, sizeof row, shim::Site::current());
  const int g = shim::place->lane / 4, t = shim::place->lane % 4;
  const auto entry = [&](int matrix, int i, int j) {
    uint16_t bits;
    const auto *const from = all.template of<const unsigned char *>(8 * matrix + i);
    if (reinterpret_cast<uintptr_t>(from) % 16 != 0) shim::fail("ldmatrix of a row that is not aligned", shim::Site::current());
    std::memcpy(&bits, from + 2 * j, sizeof bits);
    return static_cast<uint32_t>(bits);
  };
  for (int i = 0; i < 4; ++i) {
    result[i] = transposed ? entry(i, 2 * t, g) | entry(i, 2 * t + 1, g) << 16 : entry(i, g, 2 * t) | entry(i, g, 2 * t + 1) << 16;
  }
  __syncwarp(); // as of one instruction: nobody goes on before all have read
#elif __CUDA_ARCH__ >= 800
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  if constexpr (transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(result[0]), "=r"(result[1]), "=r"(result[2]), "=r"(result[3]) : "r"(address) : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(result[0]), "=r"(result[1]), "=r"(result[2]), "=r"(result[3]) : "r"(address) : "memory");
  }
#else
  (void)result, (void)row;
#endif
}
__device__ __forceinline__ void load_matrices(uint32_t (&result)[4], const void *row) { load_four<false>(result, row); }
__device__ __forceinline__ void load_matrices_transposed(uint32_t (&result)[4], const void *row) { load_four<true>(result, row); }

} // namespace f2i::cuda
