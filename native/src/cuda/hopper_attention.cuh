// Instructions of Hopper's that attention takes and products do not (hopper.cuh has the others): a first operand in
// registers, boxes of several matrices, plain bulk copies, barriers of some warps of a block (PTX ISA 8,
// "wgmma.mma_async", "cp.async.bulk", "bar.sync", "ex2").
#pragma once

#include "cuda/hopper.cuh"

#if F2I_HOPPER
namespace f2i::cuda::hopper {

// ---- who waits for whom ----------------------------------------------------------

/// Arrives at a barrier of the own block. For those who have only read: it publishes nothing.
__device__ __forceinline__ void arrive(uint64_t *barrier) {
#if defined(F2I_CUDA_SHIM)
  shim::arrive_at(barrier, static_cast<uint32_t>(shim::cluster_rank()));
#else
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
#endif
}
/// What this thread has stored to shared memory is seen by products and bulk copies behind the next barrier.
__device__ __forceinline__ void publish_writes() {
#if !defined(F2I_CUDA_SHIM) // which does not tell the proxies from each other
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}
/// Until `threads` threads, whole warps, have come to barrier `id` of the block by meet() or pass(). 0 is __syncthreads().
__device__ __forceinline__ void meet(int id, int threads) {
#if defined(F2I_CUDA_SHIM)
  shim::come_to(id, threads, true);
#else
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
#endif
}
/// Comes to the barrier and goes on.
__device__ __forceinline__ void pass(int id, int threads) {
#if defined(F2I_CUDA_SHIM)
  shim::come_to(id, threads, false);
#else
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
#endif
}

// ---- bulk copies -----------------------------------------------------------------

/// The box that begins at (column, row) of a plane; the barrier counts its bytes. What is beyond the plane is zero.
__device__ __forceinline__ void copy_box(void *to, const CUtensorMap &map, int column, int row, int plane, uint64_t *barrier) {
#if defined(F2I_CUDA_SHIM)
  shim::copy_box(to, map, {column, row, plane}, barrier, 0);
#else
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], [%5];" ::"r"(
                   shared_address(to)),
               "l"(&map), "r"(column), "r"(row), "r"(plane), "r"(shared_address(barrier))
               : "memory");
#endif
}
/// Bytes that lie one after the other: 16 or a multiple, from and to multiples of 16.
__device__ __forceinline__ void copy_bytes(void *to, const void *from, uint32_t bytes, uint64_t *barrier) {
#if defined(F2I_CUDA_SHIM)
  shim::copy_bytes(to, from, bytes, barrier);
#else
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(shared_address(to)),
               "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(shared_address(barrier))
               : "memory");
#endif
}

// ---- numbers ---------------------------------------------------------------------

/// 2^x to two units in the last place; 0 where that is below the normal numbers.
__device__ __forceinline__ float power_of_two(float x) {
#if defined(F2I_CUDA_SHIM)
  return x < -126 ? 0 : std::exp2(x);
#else
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
#endif
}

// ---- products of a warpgroup -----------------------------------------------------

#if !defined(F2I_CUDA_SHIM)
#define F2I_8(d, i) \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])
#define F2I_32(d, i) F2I_8(d, i), F2I_8(d, i + 8), F2I_8(d, i + 16), F2I_8(d, i + 24)
#define F2I_32_REGISTERS \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define F2I_64_REGISTERS \
  F2I_32_REGISTERS ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57," \
                   "%58,%59,%60,%61,%62,%63"
#define F2I_WGMMA_SHARED(type)                                                \
  "{\n.reg .pred adds;\nsetp.ne.b32 adds, %66, 0;\n"                          \
  "wgmma.mma_async.sync.aligned.m64n128k16.f32." type "." type " {" F2I_64_REGISTERS "}, %64, %65, adds, 1, 1, 0, 0;\n}"
#define F2I_WGMMA_REGISTERS_128(type)                                         \
  "{\n.reg .pred adds;\nsetp.ne.b32 adds, %69, 0;\n"                          \
  "wgmma.mma_async.sync.aligned.m64n128k16.f32." type "." type " {" F2I_64_REGISTERS "}, {%64,%65,%66,%67}, %68, adds, 1, 1, 1;\n}"
#define F2I_WGMMA_REGISTERS_64(type)                                          \
  "{\n.reg .pred adds;\nsetp.ne.b32 adds, %37, 0;\n"                          \
  "wgmma.mma_async.sync.aligned.m64n64k16.f32." type "." type " {" F2I_32_REGISTERS "}, {%32,%33,%34,%35}, %36, adds, 1, 1, 1;\n}"
#endif

/// As those of hopper.cuh; first operands in registers, too, are read while products are under way.
__device__ __forceinline__ void settle(float (&sums)[32]) {
#if defined(F2I_CUDA_SHIM)
  (void)sums;
#else
  asm volatile("" : F2I_32(sums, 0)::"memory");
#endif
}
template <int n> __device__ __forceinline__ void settle(uint32_t (&a)[n][4]) {
#if defined(F2I_CUDA_SHIM)
  (void)a; // read at once there
#else
#pragma unroll
  for (int u = 0; u < n; ++u) asm volatile("" : "+r"(a[u][0]), "+r"(a[u][1]), "+r"(a[u][2]), "+r"(a[u][3])::"memory");
#endif
}

/// sums = a b, or with `add` sums + a b, of 16 terms in halves: a 64 rows, b 128 columns, rows of both in shared memory.
/// Of warp w of four, lane (g, t), sums[4 v + 2 h + e] is entry (16 w + g + 8 h, 8 v + 2 t + e).
template <Type type> __device__ __forceinline__ void multiply_shared(float (&sums)[64], uint64_t a, uint64_t b, int add) {
#if defined(F2I_CUDA_SHIM)
  shim::multiply(sums, {type, 128, false, false, false}, a, b, add != 0);
#else
  static_assert(type != Type::tf32);
  if constexpr (type == Type::bf16) {
    asm volatile(F2I_WGMMA_SHARED("bf16") : F2I_32(sums, 0), F2I_32(sums, 32) : "l"(a), "l"(b), "r"(add));
  } else {
    asm volatile(F2I_WGMMA_SHARED("f16") : F2I_32(sums, 0), F2I_32(sums, 32) : "l"(a), "l"(b), "r"(add));
  }
#endif
}
/// The same with a in registers, by the fragments of mma.sync (mma.cuh: 16 rows of 16 terms a warp), and b's rows its
/// terms; b has as many columns as the thread has sums, twice.
template <Type type>
__device__ __forceinline__ void multiply_registers(float (&sums)[32], const uint32_t (&a)[4], uint64_t b, int add) {
#if defined(F2I_CUDA_SHIM)
  shim::multiply(sums, {type, 64, false, true, true}, a, b, add != 0);
#else
  static_assert(type != Type::tf32);
  if constexpr (type == Type::bf16) {
    asm volatile(F2I_WGMMA_REGISTERS_64("bf16")
                 : F2I_32(sums, 0)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
  } else {
    asm volatile(F2I_WGMMA_REGISTERS_64("f16")
                 : F2I_32(sums, 0)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
  }
#endif
}
template <Type type>
__device__ __forceinline__ void multiply_registers(float (&sums)[64], const uint32_t (&a)[4], uint64_t b, int add) {
#if defined(F2I_CUDA_SHIM)
  shim::multiply(sums, {type, 128, false, true, true}, a, b, add != 0);
#else
  static_assert(type != Type::tf32);
  if constexpr (type == Type::bf16) {
    asm volatile(F2I_WGMMA_REGISTERS_128("bf16")
                 : F2I_32(sums, 0), F2I_32(sums, 32)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
  } else {
    asm volatile(F2I_WGMMA_REGISTERS_128("f16")
                 : F2I_32(sums, 0), F2I_32(sums, 32)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
  }
#endif
}

#undef F2I_WGMMA_REGISTERS_64
#undef F2I_WGMMA_REGISTERS_128
#undef F2I_WGMMA_SHARED
#undef F2I_64_REGISTERS
#undef F2I_32_REGISTERS
#undef F2I_32
#undef F2I_8

} // namespace f2i::cuda::hopper
#endif
