// Products on the tensor cores of Ampere and newer, by mma.sync.
//
// f32: a number is the sum of two of TF32, big and small, to 22 bits; a product is
// big big + big small + small big (what is left out is below 2^-22 of it): three
// instructions instead of one, and the error of f32 (Ootomo and Yokota 2022,
// "Recovering single precision accuracy from Tensor Cores"). Where one is stored
// in f16 or bf16, it is a TF32 by itself, and two do.
//
// A block of 8 warps has a tile of 128 x 128 (64 x 256, 256 x 64 for few rows or
// columns; 128 x 256 where one instruction makes a product), a warp 64 x 32 (64)
// of it. Small planes of a batch have blocks of 2 warps and tiles of 64 x 64. Slices pass through three stages of shared memory: one is multiplied, one
// has arrived, one is on its way. A slice has 64 bytes of each row, 16 terms of f32
// or 32 halves, in four chunks of 16 bytes; lane t of four takes chunk t of its rows
// in one load. The instructions' fragments want other terms of a lane, but a sum has
// no order: both operands' terms are permuted alike. Chunks are placed by an exclusive
// or with the row, so that the eight lanes that are served at once have all banks.
#include <algorithm>

#include "cuda/gemm.cuh"
#include "cuda/mma.cuh"

namespace f2i::cuda::mma {
namespace {

constexpr int stages = 3, chunks = 4; // chunks of a row
constexpr int warp_rows = 64;

template <Kind kind> constexpr bool is_half = kind == Kind::bf16 || kind == Kind::f16;
template <Kind kind> constexpr int depth_of = is_half<kind> ? 32 : 16; // terms of a slice
template <Kind kind> struct HalfOf {
  using type = Bf16;
};
template <> struct HalfOf<Kind::f16> {
  using type = F16;
};
template <> struct HalfOf<Kind::f16_of_f32> {
  using type = F16;
};

/// Rows of a and then rows of b. columns8: of a warp's tile, over 8.
template <int columns8, int warps> struct Stages {
  static constexpr int rows = warps == 2 ? 128 : columns8 == 4 ? 320 : 384; // 64 + 64, 64 + 256, 128 + 256
  uint4 at[stages][rows * chunks];
};
/// Half of a tile's sums on their way from the tensor cores' order to rows, in place of the stages.
template <int columns8, int warps> struct Sums {
  float at[warps][warp_rows / 2][8 * columns8];
};

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800 // for others the kernels are empty

constexpr int rows16 = warp_rows / 16;

__device__ __forceinline__ int chunk_at(int row, int chunk) { return row * chunks + (chunk ^ (row >> 1 & 3)); }

/// A thread's share of a slice of an operand's rows, which lie from `stage` on.
template <int warps> struct Load {
  static constexpr int threads = 32 * warps;
  uint4 kept[2]; // halves on their way to be widened

  /// 16 bytes at a time. `entries` of them are a chunk.
  template <int entries>
  __device__ __forceinline__ static void chunkwise(const Operand &x, int64_t row, int64_t rows, int64_t term, int64_t end,
                                                   uint4 *stage, int tile_rows) {
    for (int e = static_cast<int>(threadIdx.x); e < tile_rows * chunks; e += threads) {
      const int r = e / chunks, c = e % chunks;
      const int64_t i = row + r, p = term + c * entries, left = end - p;
      const bool inside = i < rows && left > 0;
      const auto *const data = static_cast<const char *>(x.data);
      copy_async<16>(&stage[chunk_at(r, c)], inside ? data + (i * x.by_row + p) * (16 / entries) : data,
                     inside ? static_cast<int>(left < entries ? left : entries) * (16 / entries) : 0);
    }
  }
  /// Any strides, any alignment, patches: numbers of f32 one by one. A warp takes 8 rows by 4 terms: whole
  /// sectors of memory where rows are neighbours, and every bank of shared memory once.
  __device__ __forceinline__ static void one_by_one(const Operand &x, int64_t row, int64_t rows, int64_t term, int64_t end,
                                                    uint4 *stage, int tile_rows) {
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const int in_row = x.along() ? lane / 4 : lane % 8, in_chunk = x.along() ? lane % 4 : lane / 8;
    for (int e = warp; e < tile_rows / 8 * chunks; e += warps) {
      const int r = e / chunks * 8 + in_row, c = e % chunks;
      const int64_t i = row + r, p = term + c * 4 + in_chunk;
      const int64_t where = i < rows && p < end ? x.place(i, p) : -1;
      auto *const to = reinterpret_cast<float *>(&stage[chunk_at(r, c)]) + in_chunk;
      copy_async<4>(to, static_cast<const float *>(x.data) + (where < 0 ? 0 : where), where < 0 ? 0 : 4);
    }
  }
  /// Where thread's u-th eight terms lie in the slice.
  __device__ __forceinline__ static int row_of(const Operand &x, int u, int tile_rows) {
    const int e = static_cast<int>(threadIdx.x) + u * threads;
    return x.along() ? e / 2 : e % tile_rows;
  }
  __device__ __forceinline__ static int eight_of(const Operand &x, int u, int tile_rows) {
    const int e = static_cast<int>(threadIdx.x) + u * threads;
    return x.along() ? e % 2 : e / tile_rows;
  }
  __device__ __forceinline__ static uint32_t pair(const Operand &x, int64_t i, int64_t p, bool first, bool second) {
    const auto *const at = static_cast<const uint16_t *>(x.data) + i * x.by_row + p * x.by_term;
    return (first ? at[0] : 0u) | (second ? static_cast<uint32_t>(at[x.by_term]) << 16 : 0u);
  }
  __device__ __forceinline__ void begin_halves(const Operand &x, bool aligned, int64_t row, int64_t rows, int64_t term,
                                               int64_t end, int tile_rows) {
#pragma unroll
    for (int u = 0; u < 2; ++u) {
      const int r = row_of(x, u, tile_rows), eight = eight_of(x, u, tile_rows);
      const int64_t i = row + r, p = term + 8 * eight, left = i < rows && r < tile_rows && eight < 2 ? end - p : 0;
      kept[u] = uint4{0, 0, 0, 0};
      if (aligned && left >= 8) {
        kept[u] = *reinterpret_cast<const uint4 *>(static_cast<const uint16_t *>(x.data) + i * x.by_row + p);
      } else if (left > 0) {
        kept[u].x = pair(x, i, p, true, left > 1);
        kept[u].y = pair(x, i, p + 2, left > 2, left > 3);
        kept[u].z = pair(x, i, p + 4, left > 4, left > 5);
        kept[u].w = pair(x, i, p + 6, left > 6, left > 7);
      }
    }
  }
  __device__ __forceinline__ static float wide(const Operand &x, uint32_t bits) {
    return x.dtype == F2I_BF16 ? widen(Bf16{static_cast<uint16_t>(bits)}) : widen(F16{static_cast<uint16_t>(bits)});
  }
  __device__ __forceinline__ static uint4 wide(const Operand &x, uint32_t first, uint32_t second) {
    return {bits_of(wide(x, first & 0xffffu)), bits_of(wide(x, first >> 16)), bits_of(wide(x, second & 0xffffu)),
            bits_of(wide(x, second >> 16))};
  }
  __device__ __forceinline__ void end_halves(const Operand &x, uint4 *stage, int tile_rows) const {
#pragma unroll
    for (int u = 0; u < 2; ++u) {
      const int r = row_of(x, u, tile_rows), eight = eight_of(x, u, tile_rows);
      if (r >= tile_rows || eight >= 2) continue;
      stage[chunk_at(r, 2 * eight)] = wide(x, kept[u].x, kept[u].y);
      stage[chunk_at(r, 2 * eight + 1)] = wide(x, kept[u].z, kept[u].w);
    }
  }
};

/// Rows and terms begin at multiples of 16 bytes.
__device__ __forceinline__ bool aligned(const Operand &x) {
  const int64_t entries = x.half() ? 8 : 4;
  return x.along() && reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && x.by_row % entries == 0;
}

/// One operand of a block: its rows, and how they come to shared memory.
template <Kind kind, int warps> struct Side {
  Operand x;
  int64_t row, rows;
  int tile_rows;
  bool chunkwise;
  Load<warps> load;

  __device__ __forceinline__ Side(const Operand &operand, int64_t first, int64_t all, int of_tile)
      : x(operand), row(first), rows(all), tile_rows(of_tile), chunkwise(aligned(operand)) {}
  __device__ __forceinline__ void begin(int64_t term, int64_t end, uint4 *stage) {
    if constexpr (is_half<kind>) {
      Load<warps>::template chunkwise<8>(x, row, rows, term, end, stage, tile_rows);
    } else if (x.half()) {
      load.begin_halves(x, chunkwise, row, rows, term, end, tile_rows);
    } else if (chunkwise) {
      Load<warps>::template chunkwise<4>(x, row, rows, term, end, stage, tile_rows);
    } else {
      Load<warps>::one_by_one(x, row, rows, term, end, stage, tile_rows);
    }
  }
  __device__ __forceinline__ void end(uint4 *stage) const {
    if constexpr (!is_half<kind>) {
      if (x.half()) load.end_halves(x, stage, tile_rows);
    }
  }
};

__device__ __forceinline__ void unpack(const uint4 &chunk, float (&x)[4]) {
  x[0] = float_of(chunk.x), x[1] = float_of(chunk.y), x[2] = float_of(chunk.z), x[3] = float_of(chunk.w);
}

/// sums += a slice's product. a: of this lane's row g of the warp's; b: of row g, too. used: 16 rows each.
template <Kind kind, int columns8>
__device__ __forceinline__ void multiply_slice(float (&sums)[rows16][columns8][4], const uint4 *a, const uint4 *b, int g, int t,
                                               int used, bool exact_a, bool exact_b) {
  if constexpr (kind == Kind::f32) {
    uint32_t b_big[columns8][4], b_small[columns8][4];
#pragma unroll
    for (int v = 0; v < columns8; ++v) {
      float x[4];
      unpack(b[chunk_at(8 * v + g, t)], x);
      split(x, b_big[v], b_small[v]);
    }
#pragma unroll
    for (int u = 0; u < rows16; ++u) {
      if (u >= used) continue;
      float low[4], high[4];
      unpack(a[chunk_at(16 * u + g, t)], low);
      unpack(a[chunk_at(16 * u + g + 8, t)], high);
      // Tensor cores cut sums off. A slice is summed from zero there and added by the plain cores, which
      // round, so that the bias of long sums stays that of 16 terms.
      float part[columns8][4] = {};
#pragma unroll
      for (int q = 0; q < 2; ++q) {
        const float x[4] = {low[2 * q], high[2 * q], low[2 * q + 1], high[2 * q + 1]};
        uint32_t a_big[4], a_small[4];
        split(x, a_big, a_small);
        if (!exact_a) {
#pragma unroll
          for (int v = 0; v < columns8; ++v) {
            const uint32_t big[2] = {b_big[v][2 * q], b_big[v][2 * q + 1]};
            multiply(part[v], a_small, big);
          }
        }
        if (!exact_b) {
#pragma unroll
          for (int v = 0; v < columns8; ++v) {
            const uint32_t small[2] = {b_small[v][2 * q], b_small[v][2 * q + 1]};
            multiply(part[v], a_big, small);
          }
        }
#pragma unroll
        for (int v = 0; v < columns8; ++v) {
          const uint32_t big[2] = {b_big[v][2 * q], b_big[v][2 * q + 1]};
          multiply(part[v], a_big, big);
        }
      }
#pragma unroll
      for (int v = 0; v < columns8; ++v) {
#pragma unroll
        for (int e = 0; e < 4; ++e) sums[u][v][e] += part[v][e];
      }
    }
  } else if constexpr (kind == Kind::tf32) {
    uint32_t of_b[columns8][4];
#pragma unroll
    for (int v = 0; v < columns8; ++v) {
      float x[4];
      unpack(b[chunk_at(8 * v + g, t)], x);
#pragma unroll
      for (int e = 0; e < 4; ++e) of_b[v][e] = to_tf32(x[e]);
    }
#pragma unroll
    for (int u = 0; u < rows16; ++u) {
      if (u >= used) continue;
      float low[4], high[4];
      unpack(a[chunk_at(16 * u + g, t)], low);
      unpack(a[chunk_at(16 * u + g + 8, t)], high);
#pragma unroll
      for (int q = 0; q < 2; ++q) {
        const uint32_t of_a[4] = {to_tf32(low[2 * q]), to_tf32(high[2 * q]), to_tf32(low[2 * q + 1]), to_tf32(high[2 * q + 1])};
#pragma unroll
        for (int v = 0; v < columns8; ++v) {
          const uint32_t x[2] = {of_b[v][2 * q], of_b[v][2 * q + 1]};
          multiply(sums[u][v], of_a, x);
        }
      }
    }
  } else if constexpr (!is_half<kind>) { // a chunk of four terms rounded to two registers: one instruction a slice
    using Half = typename HalfOf<kind>::type;
    const auto rounded = [](const uint4 &chunk, uint32_t &first, uint32_t &second) {
      first = narrow_two<Half>(float_of(chunk.x), float_of(chunk.y));
      second = narrow_two<Half>(float_of(chunk.z), float_of(chunk.w));
    };
    uint32_t of_b[columns8][2];
#pragma unroll
    for (int v = 0; v < columns8; ++v) rounded(b[chunk_at(8 * v + g, t)], of_b[v][0], of_b[v][1]);
#pragma unroll
    for (int u = 0; u < rows16; ++u) {
      if (u >= used) continue;
      uint32_t of_a[4];
      rounded(a[chunk_at(16 * u + g, t)], of_a[0], of_a[2]);
      rounded(a[chunk_at(16 * u + g + 8, t)], of_a[1], of_a[3]);
#pragma unroll
      for (int v = 0; v < columns8; ++v) multiply(sums[u][v], of_a, of_b[v], Half());
    }
  } else { // a chunk of eight terms: two instructions a slice
    using Half = typename HalfOf<kind>::type;
    uint4 of_b[columns8];
#pragma unroll
    for (int v = 0; v < columns8; ++v) of_b[v] = b[chunk_at(8 * v + g, t)];
#pragma unroll
    for (int u = 0; u < rows16; ++u) {
      if (u >= used) continue;
      const uint4 low = a[chunk_at(16 * u + g, t)], high = a[chunk_at(16 * u + g + 8, t)];
      const uint32_t first[4] = {low.x, high.x, low.y, high.y}, second[4] = {low.z, high.z, low.w, high.w};
#pragma unroll
      for (int v = 0; v < columns8; ++v) {
        const uint32_t x[2] = {of_b[v].x, of_b[v].y}, y[2] = {of_b[v].z, of_b[v].w};
        multiply(sums[u][v], first, x, Half());
        multiply(sums[u][v], second, y, Half());
      }
    }
  }
}

template <Kind kind, int columns8, int warps> __device__ __forceinline__ void multiply_tile(const Work<float> &work) {
  constexpr int depth = depth_of<kind>, warp_columns = 8 * columns8;
  using Shared = Stages<columns8, warps>;
  Shared &shared = shared_memory<Shared>();
  const Product<float> &product = work.product;
  const int64_t m = product.m, n = product.n;
  const int across = work.across; // warps beside each other: 2, 4 or 8 of 8, 2 of 2
  const int tile_rows = warps / across * warp_rows, tile_columns = across * warp_columns;
  const TileAt tile = tile_at(product.lower, blockIdx.x, work.columns);
  const int64_t at = work.first + blockIdx.y, plane = at / product.groups, group = at % product.groups;
  const int64_t i0 = tile.row * tile_rows, j0 = tile.column * tile_columns;
  const int64_t first = static_cast<int64_t>(blockIdx.z) * work.range;
  const int64_t last = first + work.range < product.k ? first + work.range : product.k;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int g = lane / 4, t = lane % 4;
  const int wi = warp / across * warp_rows, wj = warp % across * warp_columns;
  // At the edges of y a warp has nothing to do, or few rows: the same for all of its lanes.
  const int64_t rows_left = j0 + wj < n ? m - i0 - wi : 0;
  const int used = rows_left <= 0 ? 0 : rows_left >= warp_rows ? rows16 : (static_cast<int>(rows_left) + 15) / 16;

  Side<kind, warps> a(product.a.of(plane, group), i0, m, tile_rows), b(product.b.of(plane, group), j0, n, tile_columns);
  const int b_at = tile_rows * chunks;
  float sums[rows16][columns8][4] = {};
  const int64_t slices = (last - first + depth - 1) / depth;
  for (int s = 0; s < stages - 1; ++s) {
    a.begin(first + s * depth, last, shared.at[s]);
    b.begin(first + s * depth, last, shared.at[s] + b_at);
    a.end(shared.at[s]);
    b.end(shared.at[s] + b_at);
    commit_copies();
  }
  int now = 0;
  for (int64_t s = 0; s < slices; ++s) {
    wait_for_copies<stages - 2>();
    __syncthreads(); // slice s has arrived for all; all have done with slice s - 1, whose stage is the next one's
    const int next = now == 0 ? stages - 1 : now - 1;
    const int64_t term = first + (s + stages - 1) * depth;
    a.begin(term, last, shared.at[next]);
    b.begin(term, last, shared.at[next] + b_at);
    commit_copies();
    multiply_slice<kind, columns8>(sums, shared.at[now] + wi * chunks, shared.at[now] + b_at + wj * chunks, g, t, used,
                                   a.x.half(), b.x.half());
    a.end(shared.at[next]);
    b.end(shared.at[next] + b_at);
    now = now == stages - 1 ? 0 : now + 1;
  }
  wait_for_copies<0>();
  __syncthreads(); // all have done with the stages

  const Finish<float> finish = product.finish.of(plane, group);
  float *const parts = work.parts_of(at);
  auto &room = shared_memory<Sums<columns8, warps>>().at[warp];
  constexpr int at_once = 4;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    if (half > 0) __syncwarp(); // the first half has been read
#pragma unroll
    for (int u = 0; u < rows16 / 2; ++u) {
#pragma unroll
      for (int v = 0; v < columns8; ++v) {
#pragma unroll
        for (int high = 0; high < 2; ++high) {
          const float(&of)[4] = sums[rows16 / 2 * half + u][v];
          const int row = 16 * u + g + 8 * high, column = (8 * v + 2 * t) ^ (row % 4 * 8);
          *reinterpret_cast<float2 *>(&room[row][column]) = float2{of[2 * high], of[2 * high + 1]};
        }
      }
    }
    __syncwarp();
#pragma unroll 1
    for (int e = lane; e < warp_rows / 2 * warp_columns; e += 32 * at_once) {
      int64_t i[at_once], j[at_once];
      float sum[at_once];
      bool inside[at_once];
      Finish<float>::Others others[at_once] = {};
#pragma unroll
      for (int x = 0; x < at_once; ++x) {
        const int row = (e + 32 * x) / warp_columns, column = (e + 32 * x) % warp_columns;
        i[x] = i0 + wi + warp_rows / 2 * half + row;
        j[x] = j0 + wj + column;
        sum[x] = room[row][column ^ (row % 4 * 8)];
        inside[x] = i[x] < m && j[x] < n && !finish.skips(i[x], j[x]);
        if (inside[x] && parts == nullptr) others[x] = finish.load(i[x], j[x]);
      }
#pragma unroll
      for (int x = 0; x < at_once; ++x) {
        if (!inside[x]) continue;
        if (kind == Kind::f32 && !is_finite(sum[x])) sum[x] = plain_sum(a.x, b.x, i[x], j[x], first, last);
        if (parts != nullptr) parts[i[x] * n + j[x]] = sum[x];
        else finish.store(i[x], j[x], sum[x], others[x]);
      }
    }
  }
}

#endif

template <Kind kind, int columns8, int warps> __global__ void __launch_bounds__(32 * warps) product_kernel(Work<float> work) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  multiply_tile<kind, columns8, warps>(work);
#endif
}

template <Kind kind, int columns8, int warps = 8> Tiling<float> of(int across) {
  using Slices = Stages<columns8, warps>;
  using Rows = Sums<columns8, warps>;
  static_assert(sizeof(Rows) <= 96 << 10 && sizeof(Slices) <= 96 << 10);
  return {product_kernel<kind, columns8, warps>, warps / across * warp_rows, across * 8 * columns8,
          std::max(sizeof(Slices), sizeof(Rows)), across, 32 * warps};
}

/// Entries of y that tiles cover, with what they have beyond its edges.
int64_t covered(const Product<float> &p, int64_t rows, int64_t columns) {
  return ceil_div(p.m, rows) * rows * ceil_div(p.n, columns) * columns;
}

} // namespace

Tiling<float> tiling(Kind kind, const Product<float> &p, int64_t processors) {
  const int across = p.lower ? 4 : p.m <= warp_rows ? 8 : p.n <= warp_rows ? 2 : 4;
  const int64_t planes = p.planes * p.groups;
  // The wide tile reads less of shared memory for a product; the others are more blocks.
  const bool wide = across == 4 && !p.lower && ceil_div(p.m, 128) * ceil_div(p.n, 256) * planes >= processors;
  // A plane that fills no tile leaves warps without work.
  const bool small = planes > 1 && !p.lower && covered(p, 64, 64) < covered(p, 512 / across, 32 * across);
  switch (kind) {
  case Kind::tf32: return small ? of<Kind::tf32, 4, 2>(2) : wide ? of<Kind::tf32, 8>(across) : of<Kind::tf32, 4>(across);
  case Kind::bf16_of_f32: return small ? of<Kind::bf16_of_f32, 4, 2>(2) : of<Kind::bf16_of_f32, 4>(across);
  case Kind::f16_of_f32: return small ? of<Kind::f16_of_f32, 4, 2>(2) : of<Kind::f16_of_f32, 4>(across);
  case Kind::bf16: return wide ? of<Kind::bf16, 8>(across) : of<Kind::bf16, 4>(across);
  case Kind::f16: return wide ? of<Kind::f16, 8>(across) : of<Kind::f16, 4>(across);
  default: return small ? of<Kind::f32, 4, 2>(2) : of<Kind::f32, 4>(across);
  }
}

} // namespace f2i::cuda::mma
