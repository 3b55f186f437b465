// The instructions of Hopper's asynchronous tensor cores, for sm_90a alone: barriers
// in shared memory that count bytes, bulk copies of boxes of tensors, and products of
// four warps whose operands lie in shared memory (PTX ISA 8, "mbarrier",
// "cp.async.bulk.tensor", "Asynchronous warpgroup level matrix operations").
//
// In the shim each is its definition (tests/cuda/shim/asynchronous.hpp): as we read it, no GPU has confirmed it.
#pragma once

#include <cuda.h>

#include "cuda/number.cuh"

/// Is this code for such a device?
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || defined(F2I_CUDA_SHIM)
#define F2I_HOPPER 1
#else
#define F2I_HOPPER 0
#endif

namespace f2i::cuda::hopper {
/// Boxes and matrices whose chunks are swizzled over rows of 128 bytes begin at multiples of this.
constexpr size_t alignment = 1024;
} // namespace f2i::cuda::hopper

#if F2I_HOPPER
#if defined(F2I_CUDA_SHIM)
#include "asynchronous.hpp"
#endif

namespace f2i::cuda::hopper {

__device__ __forceinline__ uint32_t shared_address(const void *at) {
#if defined(F2I_CUDA_SHIM)
  return shim::shared_address(at);
#else
  return static_cast<uint32_t>(__cvta_generic_to_shared(at));
#endif
}

/// The block's shared memory as a T that begins there; the launch gives sizeof(T) + alignment bytes.
template <class T> __device__ __forceinline__ T &aligned_shared() {
#if defined(F2I_CUDA_SHIM)
  auto *const memory = static_cast<unsigned char *>(shim::shared(sizeof(T) + alignment));
#else
  extern __shared__ __align__(1024) unsigned char f2i_hopper_shared[];
  unsigned char *const memory = f2i_hopper_shared;
#endif
  return *reinterpret_cast<T *>(memory + (alignment - shared_address(memory) % alignment) % alignment);
}

// ---- pairs of blocks (clusters of two) -------------------------------------------

__device__ __forceinline__ uint32_t rank_in_pair() {
#if defined(F2I_CUDA_SHIM)
  return static_cast<uint32_t>(shim::cluster_rank());
#else
  uint32_t rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
#endif
}
/// Until all threads of both blocks have come here; what they wrote to shared memory is seen by both.
__device__ __forceinline__ void pair_barrier() {
#if defined(F2I_CUDA_SHIM)
  shim::cluster_barrier();
#else
  asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
#endif
}

// ---- barriers that count ---------------------------------------------------------

__device__ __forceinline__ void init_barrier(uint64_t *barrier, uint32_t arrivals) {
#if defined(F2I_CUDA_SHIM)
  shim::init_barrier(barrier, arrivals);
#else
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory");
#endif
}
/// Makes barriers just initialised known to the copy engine and to the other block, before a pair_barrier().
__device__ __forceinline__ void publish_barriers() {
#if defined(F2I_CUDA_SHIM)
  // Barriers are known at once there.
#else
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}
/// Arrives, and lets the phase wait for so many bytes of copies.
__device__ __forceinline__ void expect_bytes(uint64_t *barrier, uint32_t bytes) {
#if defined(F2I_CUDA_SHIM)
  shim::expect_bytes(barrier, bytes);
#else
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes) : "memory");
#endif
}
/// Arrives at the barrier of this place in a block of the pair. For those who have only read: it publishes nothing.
__device__ __forceinline__ void arrive_at(uint64_t *barrier, uint32_t rank) {
#if defined(F2I_CUDA_SHIM)
  shim::arrive_at(barrier, rank);
#else
  asm volatile("{\n.reg .b32 there;\n"
               "mapa.shared::cluster.u32 there, %0, %1;\n"
               "mbarrier.arrive.shared::cluster.b64 _, [there];\n}" ::"r"(shared_address(barrier)), "r"(rank)
               : "memory");
#endif
}
/// Whether the phase of this parity is over, looking for as long as the device sees fit; a barrier begins in phase 0, so
/// parity 1 is over at once.
__device__ __forceinline__ bool phase_is_over(uint64_t *barrier, uint32_t parity) {
#if defined(F2I_CUDA_SHIM)
  return shim::phase_is_over(barrier, parity);
#else
  uint32_t is_over;
  asm volatile("{\n.reg .pred over;\n"
               "mbarrier.try_wait.parity.shared::cta.b64 over, [%1], %2;\n"
               "selp.b32 %0, 1, 0, over;\n}"
               : "=r"(is_over)
               : "r"(shared_address(barrier)), "r"(parity)
               : "memory");
  return is_over != 0;
#endif
}

/// Nanoseconds; the same clock for all of a device.
struct Clock {
  static __device__ __forceinline__ uint64_t now() {
#if defined(F2I_CUDA_SHIM)
    return shim::now();
#else
    uint64_t time;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time));
    return time;
#endif
  }
};
/// So long that all copies under way arrive.
__device__ __forceinline__ void sleep_long() {
#if defined(F2I_CUDA_SHIM)
  shim::sleep_long();
#else
  __nanosleep(1000000);
#endif
}

// ---- bulk copies -----------------------------------------------------------------

/// The box of a matrix that begins at (column, row), to shared memory; the barrier counts its bytes.
__device__ __forceinline__ void copy_box(void *to, const CUtensorMap &map, int column, int row, uint64_t *barrier) {
#if defined(F2I_CUDA_SHIM)
  shim::copy_box(to, map, {column, row}, barrier, 0);
#else
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(
                   shared_address(to)),
               "l"(&map), "r"(column), "r"(row), "r"(shared_address(barrier))
               : "memory");
#endif
}
/// To the same place in both blocks of the pair, counted by the barrier of each.
__device__ __forceinline__ void copy_box_to_both(void *to, const CUtensorMap &map, int column, int row, uint64_t *barrier) {
#if defined(F2I_CUDA_SHIM)
  shim::copy_box(to, map, {column, row}, barrier, 3);
#else
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
               "[%0], [%1, {%2, %3}], [%4], %5;" ::"r"(shared_address(to)),
               "l"(&map), "r"(column), "r"(row), "r"(shared_address(barrier)), "h"(static_cast<uint16_t>(3))
               : "memory");
#endif
}

// ---- products of a warpgroup -----------------------------------------------------

/// Registers of a thread: most of a block's are the multipliers'.
template <int count> __device__ __forceinline__ void give_registers() {
#if defined(F2I_CUDA_SHIM)
  shim::set_registers(count, false);
#else
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
#endif
}
template <int count> __device__ __forceinline__ void take_registers() {
#if defined(F2I_CUDA_SHIM)
  shim::set_registers(count, true);
#else
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
#endif
}

/// Before the first product after its registers were written.
__device__ __forceinline__ void begin_products() {
#if defined(F2I_CUDA_SHIM)
  shim::fence_products();
#else
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
__device__ __forceinline__ void commit_products() {
#if defined(F2I_CUDA_SHIM)
  shim::commit_products();
#else
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}
/// Until all but the newest `open` groups of products are done.
template <int open> __device__ __forceinline__ void wait_for_products() {
#if defined(F2I_CUDA_SHIM)
  shim::wait_for_products(open);
#else
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(open) : "memory");
#endif
}

/// A matrix in shared memory as products take it: rows of 128 bytes, their chunks of 16 swizzled over 8 rows as the
/// copy engine writes them (CU_TENSOR_MAP_SWIZZLE_128B), beginning at a multiple of 1024 bytes. Groups of 8 rows are
/// `group` bytes apart; where rows are terms, columns beyond 128 bytes follow `beside` bytes later.
__device__ __forceinline__ uint64_t matrix_at(uint32_t address, uint32_t group, uint32_t beside) {
  return static_cast<uint64_t>((address & 0x3ffffu) >> 4) | static_cast<uint64_t>(beside >> 4) << 16 |
         static_cast<uint64_t>(group >> 4) << 32 | uint64_t{1} << 62;
}

/// What tensor cores take; of TF32 numbers of f32 whose last 13 bits are zero.
#if defined(F2I_CUDA_SHIM)
using Type = shim::Number;
#else
enum class Type { bf16, f16, tf32 };
#endif

#if !defined(F2I_CUDA_SHIM)
#define F2I_4(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define F2I_8(d, i) F2I_4(d, i), F2I_4(d, i + 4)
#define F2I_32(d, i) F2I_8(d, i), F2I_8(d, i + 8), F2I_8(d, i + 16), F2I_8(d, i + 24)
#define F2I_64_REGISTERS \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15," \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31," \
  "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47," \
  "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define F2I_128_REGISTERS \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15," \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31," \
  "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47," \
  "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63," \
  "%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79," \
  "%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95," \
  "%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111," \
  "%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define F2I_WGMMA_128(shape, transposed)                                                                                \
  "{\n.reg .pred adds;\nsetp.ne.b32 adds, %130, 0;\n"                                                                  \
  "wgmma.mma_async.sync.aligned.m64n256" shape " {" F2I_128_REGISTERS "}, %128, %129, adds, 1, 1" transposed ";\n}"
#define F2I_WGMMA_64(shape)                                                                                            \
  "{\n.reg .pred adds;\nsetp.ne.b32 adds, %66, 0;\n"                                                                   \
  "wgmma.mma_async.sync.aligned.m64n128" shape " {" F2I_64_REGISTERS "}, %64, %65, adds, 1, 1;\n}"
#endif

/// Sums are read and written by products that are under way: nothing of them moves over this line.
__device__ __forceinline__ void settle(float (&sums)[64]) {
#if defined(F2I_CUDA_SHIM)
  (void)sums; // a product's calls are opaque there
#else
  asm volatile("" : F2I_32(sums, 0), F2I_32(sums, 32)::"memory");
#endif
}
__device__ __forceinline__ void settle(float (&sums)[128]) {
#if defined(F2I_CUDA_SHIM)
  (void)sums; // a product's calls are opaque there
#else
  asm volatile("" : F2I_32(sums, 0), F2I_32(sums, 32), F2I_32(sums, 64), F2I_32(sums, 96)::"memory");
#endif
}

/// sums = a b, or with `add` sums + a b: a 64 rows, b 256 columns, 32 bytes of terms. across: b's rows are terms.
/// Of warp w of four, lane (g, t), sums[4 v + 2 h + e] is entry (16 w + g + 8 h, 8 v + 2 t + e).
template <Type type, bool across>
__device__ __forceinline__ void multiply(float (&sums)[128], uint64_t a, uint64_t b, int add) {
#if defined(F2I_CUDA_SHIM)
  shim::multiply(sums, {type, 256, false, across, false}, a, b, add != 0);
#else
  if constexpr (type == Type::bf16) {
    asm volatile(F2I_WGMMA_128("k16.f32.bf16.bf16", ", 0, %131")
                 : F2I_32(sums, 0), F2I_32(sums, 32), F2I_32(sums, 64), F2I_32(sums, 96)
                 : "l"(a), "l"(b), "r"(add), "n"(across ? 1 : 0));
  } else if constexpr (type == Type::f16) {
    asm volatile(F2I_WGMMA_128("k16.f32.f16.f16", ", 0, %131")
                 : F2I_32(sums, 0), F2I_32(sums, 32), F2I_32(sums, 64), F2I_32(sums, 96)
                 : "l"(a), "l"(b), "r"(add), "n"(across ? 1 : 0));
  } else {
    static_assert(!across, "products of TF32 take rows of terms alone");
    asm volatile(F2I_WGMMA_128("k8.f32.tf32.tf32", "")
                 : F2I_32(sums, 0), F2I_32(sums, 32), F2I_32(sums, 64), F2I_32(sums, 96)
                 : "l"(a), "l"(b), "r"(add));
  }
#endif
}
/// The same with 128 columns of b.
template <Type type, bool across>
__device__ __forceinline__ void multiply(float (&sums)[64], uint64_t a, uint64_t b, int add) {
  static_assert(type == Type::tf32 && !across);
#if defined(F2I_CUDA_SHIM)
  shim::multiply(sums, {type, 128, false, across, false}, a, b, add != 0);
#else
  asm volatile(F2I_WGMMA_64("k8.f32.tf32.tf32") : F2I_32(sums, 0), F2I_32(sums, 32) : "l"(a), "l"(b), "r"(add));
#endif
}

#undef F2I_WGMMA_64
#undef F2I_WGMMA_128
#undef F2I_128_REGISTERS
#undef F2I_64_REGISTERS
#undef F2I_32
#undef F2I_8
#undef F2I_4

} // namespace f2i::cuda::hopper
#endif
