// What Hopper does asynchronously, by its definition in the PTX ISA: barriers that count bytes ("mbarrier"), bulk copies of
// boxes of tensors ("cp.async.bulk.tensor"), products of four warps ("wgmma"), clusters of blocks. Called by the second
// bodies of src/cuda/hopper.cuh.
//
// Nothing of it happens when a kernel expects it. In launches whose threads run in rising order, boxes are copied at once,
// and products read their operands as late as they may, when somebody waits for them: what is written too early is found.
// In those of falling order copies arrive when nobody can go on otherwise, in pieces and in any order, and products read
// their operands at once: what is read too early is found. Sums are NaN from a product's beginning to the wait for it.
//
// What fails a launch, by name: a barrier that was not initialised, arrivals or bytes that it does not expect, a wait that
// nothing can end; addresses, boxes and descriptors that are not aligned; a copy or an arrival to a block that has ended;
// products whose sums somebody else writes, that no fence precedes, that nobody waits for, that the four warps do not have
// alike; registers beyond those of a multiprocessor.
//
// What it does not see: memory ordering weaker than that of the barriers (proxies), encodings, and anything of speed.
#pragma once

#include "cuda.h"
#include "cuda_runtime.h"

namespace shim {

// ---- clusters and addresses
int cluster_rank();
void cluster_barrier(Site site = Site::current());
/// Of something in the block's shared memory, which begins at 16 beyond a multiple of 1024.
uint32_t shared_address(const void *at, Site site = Site::current());
/// Nanoseconds, which pass where nobody can go on.
uint64_t now();
/// What is under way arrives.
void sleep_long(Site site = Site::current());

// ---- barriers
void init_barrier(uint64_t *barrier, uint32_t arrivals, Site site = Site::current());
/// Arrives, and lets the phase wait for so many bytes.
void expect_bytes(uint64_t *barrier, uint32_t bytes, Site site = Site::current());
/// Arrives at the barrier of this place in a block of the cluster.
void arrive_at(uint64_t *barrier, uint32_t rank, Site site = Site::current());
bool phase_is_over(uint64_t *barrier, uint32_t parity, Site site = Site::current());
/// Of the calls of arrive_at() from now on the call-th has no effect, and then what waits in vain is shown a clock that
/// goes on, instead of failing its launch; 0: all is as it should be.
void lose_arrival(int call);
/// Comes to one of the block's 16 barriers of `threads` threads, whole warps, and waits there or goes on ("bar").
void come_to(int id, int threads, bool waits, Site site = Site::current());

// ---- bulk copies
/// The box at these coordinates (innermost first) to this place in each block of the mask, counted by its barrier there;
/// blocks 0: to this block.
void copy_box(void *to, const CUtensorMap &map, std::initializer_list<int> at, uint64_t *barrier, unsigned blocks,
              Site site = Site::current());

/// Bytes that lie one after the other ("cp.async.bulk").
void copy_bytes(void *to, const void *from, uint32_t bytes, uint64_t *barrier, Site site = Site::current());

// ---- products of a warpgroup
enum class Number { bf16, f16, tf32 };
/// sums (+)= a b: 64 rows, columns (a multiple of 8 up to 256), 32 bytes of terms. across: rows are terms.
struct Multiplication {
  Number number;
  int columns;
  bool a_across, b_across;
  bool a_in_registers;
};
/// sums: columns / 2 of a thread. a, b: descriptors of matrices in shared memory.
void multiply(float *sums, const Multiplication &what, uint64_t a, uint64_t b, bool add, Site site = Site::current());
/// a: the fragment of a thread, four registers as of mma.m16n8k16 (m16n8k8 of tf32), read at once.
void multiply(float *sums, const Multiplication &what, const uint32_t (&a)[4], uint64_t b, bool add,
              Site site = Site::current());
void fence_products(Site site = Site::current());
void commit_products(Site site = Site::current());
void wait_for_products(int most_open, Site site = Site::current());
/// Of each thread of the warp, by setmaxnreg.
void set_registers(int count, bool takes, Site site = Site::current());

} // namespace shim
