// Products on Hopper: tensors are copied by the copy engine, multiplied by wgmma. For compute capability 9.0 alone
// (sm_90a). No GPU has run this yet: the shim executes it by what the PTX ISA says of its instructions, as we read it
// (tests/cuda/shim/asynchronous.hpp), it is checked on each GPU before it is used (hopper_check.cu), and waits end
// (patience.cuh).
//
// A block has a tile of 128 rows by 256 columns (128 where a number is two of TF32):
// one warp keeps the copy engine busy, two groups of four warps multiply 64 rows each.
// Slices of 128 bytes of terms pass through stages of shared memory, each with two
// barriers: `full` counts the bytes that have come, `empty` the warps that have done.
// Two blocks, a pair, have tiles above each other and share their columns of b: each
// copies half of them to both. As many blocks as there are multiprocessors take tiles
// in turn; the copies of the next tile go on while one is stored.
//
//   bf16, f16   b also across: rows are terms
//   tf32        numbers of f32, rounded
//   f32         numbers of two parts, big and small (gemm_mma.cu has the formula);
//               each slice is summed from zero and added by the plain cores
#pragma once

#include "cuda/gemm.cuh"
#include "cuda/hopper.cuh"
#include "cuda/patience.cuh"

namespace f2i::cuda::hopper {
namespace {

enum class Kind { bf16, f16, tf32, f32 };

constexpr int threads = 384, tile_rows = 128, row_bytes = 128; // a producer and two consumers of 128 threads
template <Kind kind> constexpr int parts_of = kind == Kind::f32 ? 2 : 1;
template <Kind kind> constexpr int columns_of = kind == Kind::f32 ? 128 : 256;
template <Kind kind> constexpr int stages_of = kind == Kind::f32 ? 3 : 4;
template <Kind kind> constexpr int depth_of = kind == Kind::bf16 || kind == Kind::f16 ? 64 : 32; // terms of a slice
constexpr int store_columns = 64; // of a warp's sums on their way to rows

template <Kind kind> struct Room {
  struct Stage {
    unsigned char a[parts_of<kind>][tile_rows * row_bytes];
    unsigned char b[parts_of<kind>][columns_of<kind> * row_bytes];
  } stage[stages_of<kind>]; // at a multiple of 1024 bytes
  float sums[8][16][store_columns];
  uint64_t full[stages_of<kind>], empty[stages_of<kind>];
};

/// How the copy engine sees the operands; the small parts only of f32.
struct Maps {
  CUtensorMap a[2], b[2];
};

/// The tiles of a product, two above each other at a time, in an order that keeps few rows and columns in the cache.
struct Pairs {
  int64_t rows, columns, ranges; // pairs above, tiles beside each other; ranges of terms
  __host__ __device__ int64_t all() const { return rows * columns * ranges; }
  struct At {
    int64_t row, column, range;
  };
#if F2I_HOPPER
  __device__ __forceinline__ At at(int64_t index) const {
    constexpr int64_t high = 8; // pairs of a group, whose columns are passed through
    const int64_t range = index / (rows * columns), tile = index - range * rows * columns;
    const int64_t group = tile / (high * columns), first = group * high, in_group = tile - first * columns;
    const int64_t here = rows - first < high ? rows - first : high;
    return {first + in_group % here, in_group / here, range};
  }
#endif
};

#if F2I_HOPPER

template <Kind kind>
constexpr Type type_of = kind == Kind::bf16 ? Type::bf16 : kind == Kind::f16 ? Type::f16 : Type::tf32;

/// Where a block is in its slices: stage and the parity of its phase.
template <int stages> struct Turn {
  int stage = 0;
  uint32_t parity = 0;
  __device__ __forceinline__ void next() {
    if (++stage == stages) stage = 0, parity ^= 1;
  }
};

/// The tiles that a pair of blocks has: f(first row of this block's, first column, first and last term, range).
template <Kind kind, class F>
__device__ __forceinline__ void for_tiles_of_block(const Work<float> &work, const Pairs &pairs, uint32_t rank,
                                                   const F &f) {
  const Product<float> &product = work.product;
  for (int64_t index = blockIdx.x / 2; index < pairs.all(); index += gridDim.x / 2) {
    const auto at = pairs.at(index);
    const int64_t i0 = at.row * 2 * tile_rows, j0 = at.column * columns_of<kind>;
    if (product.lower && j0 >= i0 + 2 * tile_rows) continue; // above the diagonal
    const int64_t first = at.range * work.range;
    const int64_t last = first + work.range < product.k ? first + work.range : product.k;
    f(i0 + rank * tile_rows, j0, first, last, at.range);
  }
}

/// One thread: copies slices to stages as they become empty.
template <Kind kind, bool across>
__device__ __forceinline__ void produce(const Work<float> &work, const Pairs &pairs, const Maps &maps,
                                        Room<kind> &room, uint32_t rank, Patience<Clock> &patience) {
  constexpr int half = columns_of<kind> / 2, depth = depth_of<kind>, parts = parts_of<kind>;
  constexpr uint32_t bytes = sizeof(typename Room<kind>::Stage);
  Turn<stages_of<kind>> turn;
  for_tiles_of_block<kind>(work, pairs, rank, [&](int64_t i0, int64_t j0, int64_t first, int64_t last, int64_t) {
    const int row = static_cast<int>(i0), column = static_cast<int>(j0) + static_cast<int>(rank) * half;
#pragma unroll 1
    for (int64_t p = first; p < last && !patience.gone(); p += depth, turn.next()) {
      auto &stage = room.stage[turn.stage];
      uint64_t *const full = &room.full[turn.stage];
      const int term = static_cast<int>(p);
      // Bytes that nobody waits for would overflow a barrier's count: who has given up copies nothing any more.
      if (!patience.wait([&] { return phase_is_over(&room.empty[turn.stage], turn.parity ^ 1); })) return;
      expect_bytes(full, bytes);
#pragma unroll
      for (int part = 0; part < parts; ++part) {
        copy_box(stage.a[part], maps.a[part], term, row, full);
        unsigned char *const to = stage.b[part] + rank * half * row_bytes;
        if constexpr (across) { // boxes of 64 columns by 64 terms
#pragma unroll
          for (int q = 0; q < half / 64; ++q) {
            copy_box_to_both(to + q * 64 * row_bytes, maps.b[part], column + q * 64, term, full);
          }
        } else {
          copy_box_to_both(to, maps.b[part], term, column, full);
        }
      }
    }
  });
}

/// The sums of a warp's 16 rows become y, through shared memory, so that a row's entries are stored together.
template <int columns>
__device__ __forceinline__ void store_sums(const Work<float> &work, const float (&sums)[columns / 2],
                                           float (&room)[16][store_columns], int64_t i0, int64_t j0, int64_t first,
                                           int64_t last, int64_t range, bool repair) {
  constexpr int at_once = 4;
  const Product<float> &product = work.product;
  const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int pass = 0; pass < columns / store_columns; ++pass) {
    __syncwarp(); // what was there has been read
#pragma unroll
    for (int v = 0; v < store_columns / 8; ++v) {
#pragma unroll
      for (int high = 0; high < 2; ++high) {
        const int row = g + 8 * high, column = (8 * v + 2 * t) ^ (row % 4 * 8);
        const int from = pass * store_columns / 2 + 4 * v + 2 * high;
        *reinterpret_cast<float2 *>(&room[row][column]) = float2{sums[from], sums[from + 1]};
      }
    }
    __syncwarp();
#pragma unroll 1
    for (int e = lane; e < 16 * store_columns; e += 32 * at_once) {
      int64_t i[at_once], j[at_once];
      float sum[at_once];
      bool inside[at_once];
      Finish<float>::Others others[at_once] = {};
#pragma unroll
      for (int x = 0; x < at_once; ++x) {
        const int row = (e + 32 * x) / store_columns, column = (e + 32 * x) % store_columns;
        i[x] = i0 + row;
        j[x] = j0 + pass * store_columns + column;
        sum[x] = room[row][column ^ (row % 4 * 8)];
        inside[x] = i[x] < product.m && j[x] < product.n && !product.finish.skips(i[x], j[x]);
        if (inside[x] && work.parts == nullptr) others[x] = product.finish.load(i[x], j[x]);
      }
#pragma unroll
      for (int x = 0; x < at_once; ++x) {
        if (!inside[x]) continue;
        if (repair && !is_finite(sum[x])) sum[x] = plain_sum(product.a, product.b, i[x], j[x], first, last);
        if (work.parts != nullptr) work.parts[(range * product.m + i[x]) * product.n + j[x]] = sum[x];
        else product.finish.store(i[x], j[x], sum[x], others[x]);
      }
    }
  }
}

/// Four warps: 64 rows of each of the block's tiles.
template <Kind kind, bool across>
__device__ __forceinline__ void consume(const Work<float> &work, const Pairs &pairs, Room<kind> &room, uint32_t rank,
                                        int group, Patience<Clock> &patience) {
  constexpr int columns = columns_of<kind>, depth = depth_of<kind>;
  constexpr int steps = 4;                                        // products of 32 bytes of terms in a slice
  constexpr uint32_t step_a = 32, step_b = across ? 2 * 1024 : 32; // to the next terms: across, 16 rows of 128 bytes
  constexpr Type type = type_of<kind>;
  const int warp = static_cast<int>(threadIdx.x) / 32 - 4, lane = static_cast<int>(threadIdx.x) % 32;
  const auto a_at = [&](int stage, int part, int step) {
    const auto rows = static_cast<uint32_t>(group * 64 * row_bytes);
    return matrix_at(shared_address(room.stage[stage].a[part]) + rows + step * step_a, 1024, 16);
  };
  const auto b_at = [&](int stage, int part, int step) {
    // Across, a box of 64 columns has 64 rows of terms; the next box follows it.
    return matrix_at(shared_address(room.stage[stage].b[part]) + step * step_b, 1024, across ? 64 * row_bytes : 16);
  };
  const auto release = [&](int stage) { // in both blocks: each copies to both
    if (lane < 2) arrive_at(&room.empty[stage], static_cast<uint32_t>(lane));
  };
  // Who has given up goes on with whatever the stages hold, so that all take the same way.
  const auto wait_for_slice = [&](int stage, uint32_t parity) {
    (void)patience.wait([&] { return phase_is_over(&room.full[stage], parity); });
  };
  Turn<stages_of<kind>> turn;
  for_tiles_of_block<kind>(work, pairs, rank, [&](int64_t i0, int64_t j0, int64_t first, int64_t last, int64_t range) {
    float sums[columns / 2] = {};
    if constexpr (kind == Kind::f32) {
#pragma unroll 1
      for (int64_t p = first; p < last; p += depth, turn.next()) {
        float part[columns / 2] = {};
        wait_for_slice(turn.stage, turn.parity);
        settle(part);
        begin_products();
#pragma unroll
        for (int step = 0; step < steps; ++step) { // small parts first
          multiply<type, false>(part, a_at(turn.stage, 1, step), b_at(turn.stage, 0, step), step > 0);
          multiply<type, false>(part, a_at(turn.stage, 0, step), b_at(turn.stage, 1, step), 1);
          multiply<type, false>(part, a_at(turn.stage, 0, step), b_at(turn.stage, 0, step), 1);
        }
        commit_products();
        wait_for_products<0>();
        settle(part);
        release(turn.stage);
        // Tensor cores cut sums off, the plain cores round: the bias of long sums stays that of a slice.
#pragma unroll
        for (int e = 0; e < columns / 2; ++e) sums[e] += part[e];
      }
    } else {
      int before = -1; // the stage whose products are still on their way
#pragma unroll 1
      for (int64_t p = first; p < last; p += depth, turn.next()) {
        wait_for_slice(turn.stage, turn.parity);
        settle(sums);
        begin_products();
#pragma unroll
        for (int step = 0; step < steps; ++step) {
          multiply<type, across>(sums, a_at(turn.stage, 0, step), b_at(turn.stage, 0, step), p > first || step > 0);
        }
        commit_products();
        if (before >= 0) {
          wait_for_products<1>();
          release(before);
        }
        before = turn.stage;
      }
      wait_for_products<0>();
      settle(sums);
      if (before >= 0) release(before);
    }
    store_sums<columns>(work, sums, room.sums[warp], i0 + 16 * warp, j0, first, last, range,
                        kind == Kind::f32 && !patience.gone());
  });
}

template <Kind kind, bool across>
__device__ __forceinline__ void run_block(const Work<float> &work, const Pairs &pairs, const Maps &maps,
                                          volatile uint32_t *alarm) {
  auto &room = aligned_shared<Room<kind>>();
  const uint32_t rank = rank_in_pair();
  if (threadIdx.x == 0) {
    for (int s = 0; s < stages_of<kind>; ++s) {
      init_barrier(&room.full[s], 1);   // its producer, and the bytes
      init_barrier(&room.empty[s], 16); // the warps of two consumers of two blocks
    }
    publish_barriers();
  }
  pair_barrier();
  const int group = static_cast<int>(threadIdx.x) / 128;
  if (group == 0) {
    give_registers<40>();
    if (threadIdx.x == 0) {
      Patience<Clock> patience(alarm, GaveUp::copying);
      produce<kind, across>(work, pairs, maps, room, rank, patience);
      if (patience.gone()) sleep_long(); // what is under way arrives while the memory is still this block's
    }
  } else {
    take_registers<232>();
    Patience<Clock> patience(alarm, GaveUp::multiplying);
    consume<kind, across>(work, pairs, room, rank, group - 1, patience);
  }
  pair_barrier(); // a block lives until the other writes no more to it
}
#endif

} // namespace
} // namespace f2i::cuda::hopper
