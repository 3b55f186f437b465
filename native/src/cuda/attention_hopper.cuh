// Attention in halves by Hopper's own instructions: for compute capability 9.0 alone (sm_90a).
//
// The schedule is that of Shah et al. 2024, "FlashAttention-3: Fast and Accurate Attention with Asynchrony and
// Low-precision", without its FP8. A block has a producer, one thread that keeps the copy engine busy, and two or three
// groups of four warps, the consumers, with 64 queries each (section 3.1, algorithm 1). Tiles of 128 keys, and of their
// values, pass through stages of shared memory, each with two barriers: `full` counts the bytes that have come, `empty`
// the warps that have done. Consumers take turns in starting products, so that the softmax of one runs beside the
// products of the others ("pingpong scheduling", section 3.1); and a consumer starts the product of the next keys before
// that of the last weights and values, which run while it makes the next weights (section 3.2, algorithm 2).
//
// Queries are rounded by who multiplies them, keys and values by a kernel before (attention_half.cuh, Pack). Dimensions
// up to 64 or 128 are filled with zeros by the tensor map's bounds, and so are the keys behind the last.
#pragma once

#include "cuda/attention_half.cuh"
#include "cuda/attention_hopper_weights.cuh"
#include "cuda/patience.cuh"

namespace f2i::cuda::attend::wgmma {

constexpr int row_bytes = 128, box_columns = row_bytes / 2; // of a matrix as products take it

/// Of a kernel, by the dimensions of queries and the columns of values, which are filled up with zeros. Registers are
/// what a processor's 65536 leave to each thread of the roles.
template <int columns_> struct Extents {
  static constexpr int columns = columns_, boxes = columns / box_columns;
  static constexpr int groups = columns == 64 ? 3 : 2, queries = groups * group_queries, threads = 128 * (groups + 1);
  static constexpr int stages = columns == 64 ? 3 : 2;
  static constexpr int of_producer = columns == 64 ? 32 : 24, of_consumer = columns == 64 ? 160 : 240;
  static_assert(128 * of_producer + 128 * groups * of_consumer <= 65536);
};

/// Shared memory. Matrices begin at multiples of 1024 bytes and are swizzled as the copy engine writes them.
template <class X> struct Room {
  unsigned char queries[X::groups][X::boxes][group_queries * row_bytes];
  struct Rows {
    unsigned char box[X::boxes][tile_keys * row_bytes];
  } keys[X::stages], values[X::stages];
  KeyFactors factors[X::stages];
  uint64_t keys_full[X::stages], keys_empty[X::stages], values_full[X::stages], values_empty[X::stages];
  Share<float> share; // not in everybody's registers
};

/// What a kernel gets beside the problem.
struct Source {
  CUtensorMap keys, values;  // [plane, key, column] in halves, boxes of 64 columns by 128 keys
  bool own;                  // heads have keys of their own
  const KeyFactors *factors; // [plane, tile]; null: nothing hidden but the keys' end, no norms
  int64_t tiles;             // of a plane
  uint32_t *failed;          // [range, plane, 64 queries, warp]: not 0 where results are to be made again
  bool bias_pairs, y_pairs;  // rows begin at multiples of 8 bytes
};

#if F2I_HOPPER

using hopper::Type;
template <class Half> constexpr Type type_of = std::is_same_v<Half, Bf16> ? Type::bf16 : Type::f16;
using Patient = Patience<hopper::Clock>;

/// What of a block's share all of its threads know.
struct Part {
  int tiles;     // of keys that somebody of the block sees
  int plane;     // of keys
  int64_t first; // tile of the plane
  __device__ __forceinline__ Part(const Problem<float> &p, const Source &source, const Share<float> &share) {
    tiles = share.last > share.first ? static_cast<int>((share.last - share.first + tile_keys - 1) / tile_keys) : 0;
    plane = static_cast<int>(source.own ? share.b * p.heads + share.h : share.b);
    first = share.first / tile_keys;
  }
};

/// Where tile `index` of a block goes: its stage, and the parity of the stage's phase.
template <class X> struct Turn {
  int stage;
  uint32_t parity;
  __device__ __forceinline__ explicit Turn(int index) : stage(index % X::stages), parity(index / X::stages % 2) {}
};

/// One thread: copies tiles to stages as they become empty, keys one tile ahead of values, as consumers want them.
template <class X>
__device__ __forceinline__ void produce(const Source &source, const Part &part, Room<X> &room, Patient &patience) {
  using namespace hopper;
  constexpr uint32_t bytes = sizeof(typename Room<X>::Rows);
  const auto copy = [&](int tile, const CUtensorMap &map, typename Room<X>::Rows (&to)[X::stages], uint64_t (&full)[X::stages],
                        uint64_t (&empty)[X::stages], const KeyFactors *factors) {
    const Turn<X> turn(tile);
    // Bytes that nobody waits for would overflow a barrier's count: who has given up copies nothing any more.
    if (!patience.wait([&] { return phase_is_over(&empty[turn.stage], turn.parity ^ 1); })) return;
    uint64_t *const barrier = &full[turn.stage];
    expect_bytes(barrier, bytes + (factors != nullptr ? sizeof(KeyFactors) : 0));
    const int row = static_cast<int>(part.first + tile) * tile_keys;
#pragma unroll
    for (int b = 0; b < X::boxes; ++b) copy_box(to[turn.stage].box[b], map, b * box_columns, row, part.plane, barrier);
    if (factors != nullptr) copy_bytes(&room.factors[turn.stage], factors + tile, sizeof(KeyFactors), barrier);
  };
  const KeyFactors *const factors = source.factors == nullptr ? nullptr : source.factors + part.plane * source.tiles + part.first;
  const auto copy_keys = [&](int tile) { copy(tile, source.keys, room.keys, room.keys_full, room.keys_empty, factors); };
  const auto copy_values = [&](int tile) {
    copy(tile, source.values, room.values, room.values_full, room.values_empty, nullptr);
  };
#pragma unroll 1
  for (int tile = 0; tile <= part.tiles && !patience.gone(); ++tile) {
    if (tile < part.tiles) copy_keys(tile);
    if (tile > 0 && !patience.gone()) copy_values(tile - 1);
  }
}

/// Queries [first, first + 64) in halves to shared memory, by the group that multiplies them.
template <class X, class Half>
__device__ __forceinline__ void bring_queries(unsigned char (&to)[X::boxes][group_queries * row_bytes], const Problem<float> &p,
                                              const Share<float> &share, int64_t first) {
  constexpr int chunks = X::columns / 8; // of 16 bytes, of a query
#pragma unroll 4
  for (int e = static_cast<int>(threadIdx.x) % 128; e < group_queries * chunks; e += 128) {
    const int row = e / chunks, c = e % chunks * 8, chunk = e % 8;
    const int64_t i = first + row;
    const int64_t at_row = p.query_row(share.b, share.h, i);
    const float *const from = i < p.n ? &p.q(at_row, 0) : nullptr;
    const float factor = p.cosine && i < p.n ? mma::power_of(p.q_norms[at_row]) : 1.0f;
    uint32_t halves[4];
#pragma unroll
    for (int x = 0; x < 4; ++x) {
      const auto at = [&](int column) {
        return from != nullptr && column < p.d ? mma::finite_or_nan<Half>(from[column] * factor) : 0.0f;
      };
      halves[x] = narrow_two<Half>(at(c + 2 * x), at(c + 2 * x + 1));
    }
    // The swizzle of 128 bytes: the chunks of a row change places by its number.
    unsigned char *const place = to[c / box_columns] + row * row_bytes + (chunk ^ row % 8) * 16;
    *reinterpret_cast<uint4 *>(place) = uint4{halves[0], halves[1], halves[2], halves[3]};
  }
}

/// Results of a thread's two queries; false where one is to be made again.
template <class X>
__device__ __forceinline__ bool store(const float (&result)[X::columns / 2], const Softmax &softmax, const Queries &queries,
                                      const Problem<float> &p, const Share<float> &share, bool pairs) {
  constexpr float ln2 = 0.6931471805599453f;
  const int t = static_cast<int>(threadIdx.x) % 4;
  bool right = true;
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const float sum = softmax.whole_sum(h), inverse = sum == 0.0f ? 0.0f : 1.0f / sum;
    const int64_t row = queries.row + 8 * h;
    if (row >= p.n) continue;
    float *const y = share.result(p, row) + 2 * t;
#pragma unroll
    for (int v = 0; v < X::columns / 8; ++v) {
      const float first = result[4 * v + 2 * h] * inverse, second = result[4 * v + 2 * h + 1] * inverse;
      const int left = static_cast<int>(p.e) - 8 * v - 2 * t;
      if (left > 0) right = right && is_finite(first);
      if (left > 1) right = right && is_finite(second);
      if (pairs && left > 1) {
        *reinterpret_cast<float2 *>(y + 8 * v) = float2{first, second};
      } else {
        if (left > 0) y[8 * v] = first;
        if (left > 1) y[8 * v + 1] = second;
      }
    }
    const float lse = sum == 0.0f ? -infinity<float>() : fused(softmax.base[h], ln2, logarithm(sum));
    if (sum != 0.0f) right = right && is_finite(lse);
    // A bias below -3e38 * scale may have become -infinity, which is less than that of others.
    else if (p.bias.data != nullptr && queries.seen[h] > share.first) right = false;
    if (t == 0) share.store_lse(p, row, lse);
  }
  return right;
}

/// Four warps: 64 of the block's queries.
template <class X, class Half>
__device__ __forceinline__ void consume(const Problem<float> &p, const Source &source, const Part &part, Room<X> &room,
                                        int group, Patient &patience) {
  using namespace hopper;
  const Share<float> &share = room.share;
  constexpr Type type = type_of<Half>;
  constexpr int first_turn = 1, first_of_queries = 1 + X::groups; // barriers of the block; 0 is __syncthreads()
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32 % 4;
  const int64_t first_query = share.i0 + group * group_queries;
  const bool biased = p.bias.data != nullptr, keyed = source.factors != nullptr;
  const Queries queries(p, share, first_query + 16 * warp + lane / 4);

  const uint64_t of_queries = matrix_at(shared_address(room.queries[group]), 1024, 16);
  const auto start_keys = [&](float(&sums)[tile_sums], int stage) { // sums (+)= q k^T
    const uint64_t of_keys = matrix_at(shared_address(&room.keys[stage]), 1024, 16);
#pragma unroll
    for (int step = 0; step < X::columns / 16; ++step) { // descriptors count in 16 bytes
      const uint64_t a = of_queries + (step / 4 * group_queries * row_bytes + step % 4 * 32) / 16;
      const uint64_t b = of_keys + (step / 4 * tile_keys * row_bytes + step % 4 * 32) / 16;
      multiply_shared<type>(sums, a, b, step > 0 || biased);
    }
    commit_products();
  };
  const auto start_values = [&](float(&result)[X::columns / 2], const uint32_t(&weights)[tile_keys / 16][4], int stage) {
    const uint64_t of_values = matrix_at(shared_address(&room.values[stage]), 1024, tile_keys * row_bytes);
#pragma unroll
    for (int step = 0; step < tile_keys / 16; ++step) { // result += weights v
      multiply_registers<type>(result, weights[step], of_values + step * 16 * row_bytes / 16, 1);
    }
    commit_products();
  };
  // Who has given up goes on with whatever the stages hold, so that all take the same way.
  const auto wait_for = [&](uint64_t(&full)[X::stages], int tile) {
    const Turn<X> turn(tile);
    (void)patience.wait([&] { return phase_is_over(&full[turn.stage], turn.parity); });
    return turn.stage;
  };
  const auto release = [&](uint64_t *empty) {
    __syncwarp(); // all lanes have read
    if (lane == 0) arrive(empty);
  };
  const auto take_turn = [&] { meet(first_turn + group, 256); };
  const auto end_turn = [&](bool last) {
    if (group + 1 < X::groups) pass(first_turn + group + 1, 256);
    else if (!last) pass(first_turn, 256);
  };

  bring_queries<X, Half>(room.queries[group], p, share, first_query);
  publish_writes();
  meet(first_of_queries + group, 128);
  if (group == X::groups - 1 && part.tiles > 0) pass(first_turn, 256); // the first one's first turn

  float sums[tile_sums] = {}, result[X::columns / 2] = {}, keep[2];
  uint32_t weights[tile_keys / 16][4] = {};
  Softmax softmax;
  int stage_of_keys = 0;
  const auto key_of = [&](int tile) { return static_cast<int>(share.first) + tile * tile_keys; };
  // Behind the products of a tile's keys: its weights, and its stage is empty.
  const auto weigh = [&](int tile) {
    if (keyed) apply_keys(sums, room.factors[stage_of_keys]);
    release(&room.keys_empty[stage_of_keys]);
    if (key_of(tile) + tile_keys > queries.seen[0]) hide(sums, queries, key_of(tile)); // the second sees as much or more
    softmax.weigh(sums, queries, keep);
  };
  const auto bring_bias = [&](int tile) {
    if (biased && tile < part.tiles) load_bias(sums, p, share, queries, key_of(tile), source.bias_pairs);
  };
  const auto wait_for_keys = [&](int tile) {
    stage_of_keys = wait_for(room.keys_full, tile);
    if (biased) begin_with_bias(sums, queries, keyed, room.factors[stage_of_keys]);
  };
  const auto begin = [&] {
    settle(sums);
    settle(result);
    settle(weights);
    begin_products();
  };
  if (part.tiles > 0) {
    bring_bias(0);
    wait_for_keys(0);
    take_turn();
    begin();
    start_keys(sums, stage_of_keys);
    end_turn(part.tiles == 1);
    wait_for_products<0>();
    settle(sums);
    weigh(0);
    narrow_weights<Half>(weights, sums);
    bring_bias(1);
  }
#pragma unroll 1
  for (int tile = 1; tile < part.tiles; ++tile) {
    wait_for_keys(tile);
    const int stage_of_values = wait_for(room.values_full, tile - 1);
    take_turn();
    begin();
    start_keys(sums, stage_of_keys);
    start_values(result, weights, stage_of_values);
    end_turn(tile + 1 == part.tiles);
    wait_for_products<1>();
    settle(sums);
    weigh(tile);
    settle(sums); // weights are made while values are multiplied, not later
    wait_for_products<0>();
    settle(result);
    settle(sums);
    release(&room.values_empty[stage_of_values]);
#pragma unroll
    for (int e = 0; e < X::columns / 2; ++e) result[e] *= keep[e % 4 / 2];
    narrow_weights<Half>(weights, sums);
    bring_bias(tile + 1);
  }
  if (part.tiles > 0) {
    const int stage = wait_for(room.values_full, part.tiles - 1);
    begin();
    start_values(result, weights, stage);
    wait_for_products<0>();
    settle(result);
  }

  const bool right = store<X>(result, softmax, queries, p, share, source.y_pairs);
  const bool failed = __any_sync(0xffffffffu, !right && !patience.gone());
  const int64_t units = (p.n + group_queries - 1) / group_queries, unit = first_query / group_queries;
  if (lane == 0 && unit < units) {
    const int64_t plane = (share.range * p.batch + share.b) * p.heads + share.h;
    source.failed[(plane * units + unit) * 4 + warp] = failed ? 1 : 0;
  }
}

template <class X, class Half>
__device__ __forceinline__ void attend_block(const Problem<float> &p, const Source &source, volatile uint32_t *alarm) {
  using namespace hopper;
  auto &room = aligned_shared<Room<X>>();
  if (threadIdx.x == 0) {
    room.share = Share<float>(p, X::queries, X::columns);
    for (int s = 0; s < X::stages; ++s) {
      for (uint64_t *const full : {&room.keys_full[s], &room.values_full[s]}) init_barrier(full, 1); // the producer, and bytes
      for (uint64_t *const empty : {&room.keys_empty[s], &room.values_empty[s]}) init_barrier(empty, 4 * X::groups); // warps
    }
    publish_barriers();
  }
  __syncthreads();
  const Part part(p, source, room.share);
  const int role = static_cast<int>(threadIdx.x) / 128;
  if (role == 0) {
    give_registers<X::of_producer>();
    if (threadIdx.x == 0) {
      Patient patience(alarm, GaveUp::copying);
      produce<X>(source, part, room, patience);
      if (patience.gone()) sleep_long(); // what is under way arrives while the memory is still this block's
    }
  } else {
    take_registers<X::of_consumer>();
    Patient patience(alarm, GaveUp::multiplying);
    consume<X, Half>(p, source, part, room, role - 1, patience);
  }
}

#endif

} // namespace f2i::cuda::attend::wgmma
