// The host's side of attention_hopper.cuh: tensor maps, what keys bring beside their rows, the launch, and the kernel that
// makes again, on the plain cores, what is not finite. That one is a launch of its own: threads of other roles have other
// numbers of registers, and cannot meet again to do it.
#include "cuda/attention_hopper.cuh"
#include "cuda/attention_hopper.hpp"
#include "cuda/attention_ranges.cuh"
#include "cuda/tensor_map.hpp"
#include "cuda/tiles.cuh"

namespace f2i::cuda {
namespace attend::wgmma {
namespace {

template <class X, class Half>
__global__ void __launch_bounds__(X::threads, 1)
    attention_kernel(const __grid_constant__ Problem<float> p, const __grid_constant__ Source source, volatile uint32_t *alarm) {
#if F2I_HOPPER
  attend_block<X, Half>(p, source, alarm);
#endif
}

/// A block looks at 64 queries of a range; the grid is Share's. columns: of y a lane.
template <int columns>
__global__ void __launch_bounds__(simt::threads) repair_kernel(const __grid_constant__ Problem<float> p, const uint32_t *failed) {
  const Share<float> share(p, group_queries, 32 * columns);
  const int64_t units = (p.n + group_queries - 1) / group_queries;
  const int64_t plane = (share.range * p.batch + share.b) * p.heads + share.h;
  const uint32_t *const of_warps = failed + (plane * units + share.i0 / group_queries) * 4;
  if ((of_warps[0] | of_warps[1] | of_warps[2] | of_warps[3]) == 0) return; // the same for all of the block
  for (int first = 0; first < group_queries; first += simt::queries) {
    __syncthreads(); // all have done with the queries before
    simt::attend_plainly<float, columns, simt::warps>(p, share, share.i0 + first);
  }
}

/// KeyFactors of all tiles: rows are tiles of a plane, columns their keys.
struct FactorsOfKeys {
  Problem<float> p;
  int64_t heads, tiles; // planes of a batch entry, tiles of a plane
  KeyFactors *to;

  __device__ float load(int64_t row, int64_t c) const {
    const int64_t plane = row / tiles, j = (row - plane * tiles) * tile_keys + c, b = plane / heads;
    if (j >= p.all() || p.masked(b, j)) return -1;
    return p.cosine ? mma::rest_of(p.key_norm(b, plane - b * heads, j)) : 1.0f;
  }
  __device__ void store(int64_t row, int64_t c, float factor) const {
    to[row].of_logits[c] = factor;
    to[row].of_bias[c] = factor < 0 ? 0.0f : 1 / factor;
  }
};

class Run {
public:
  Run(Exec &ex, const Problem<float> &p, const Halves &halves, uint32_t *alarm) : ex_(ex), p_(p), halves_(halves), alarm_(alarm) {}

  /// False where there is none of it.
  bool all(f2i_status &status) const {
    const bool small = p_.d <= 64 && p_.e <= 64;
    if (halves_.type == F2I_BF16) return small ? by<Extents<64>, Bf16>(status) : by<Extents<128>, Bf16>(status);
    return small ? by<Extents<64>, F16>(status) : by<Extents<128>, F16>(status);
  }

private:
  int64_t keys() const { return p_.m + (p_.null_rows > 0 ? 1 : 0); }
  int64_t planes() const { return p_.batch * (halves_.own ? p_.heads : 1); }

  bool map(CUtensorMap &to, const void *data, int64_t ld) const {
    return hopper::encode(to, {3, data, halves_.type, {ld, keys(), planes()}, {1, ld, ld * keys()}, {box_columns, tile_keys, 1}});
  }

  f2i_status find_factors(Source &source) const {
    source.tiles = ceil_div(keys(), tile_keys);
    if (!p_.cosine && p_.mask.data == nullptr) return F2I_OK;
    const int64_t rows = planes() * source.tiles;
    auto *const factors = ex_.scratch_of<KeyFactors>(rows);
    if (factors == nullptr) return ex_.fail(F2I_OUT_OF_MEMORY, "no room for factors of keys");
    source.factors = factors;
    return for_tiles(ex_, "attention, factors of keys", rows, tile_keys,
                     FactorsOfKeys{p_, halves_.own ? p_.heads : 1, source.tiles, factors});
  }

  template <class X, class Half> bool by(f2i_status &status) const {
    void (*const kernel)(Problem<float>, Source, volatile uint32_t *) = attention_kernel<X, Half>;
    static const bool there = hopper::is_built_for_hopper(reinterpret_cast<const void *>(kernel));
    Source source{};
    if (!there || !map(source.keys, halves_.keys, halves_.ld_keys) || !map(source.values, halves_.values, halves_.ld_values)) {
      return false;
    }
    source.own = halves_.own;
    status = find_factors(source);
    if (status != F2I_OK) return true;
    source.bias_pairs = reinterpret_cast<uintptr_t>(p_.bias.data) % 8 == 0 && p_.bias.ld % 2 == 0;
    constexpr size_t shared = sizeof(Room<X>) + hopper::alignment;
    static_assert(shared <= 227 << 10);
    status = in_ranges(ex_, p_, {X::queries, X::columns, tile_keys, 1}, [&](dim3 grid, const Problem<float> &p) {
      const int64_t units = p.batch * p.heads * ceil_div(p.n, group_queries);
      source.failed = ex_.scratch_of<uint32_t>(grid.y * units * 4);
      if (source.failed == nullptr) return ex_.fail(F2I_OUT_OF_MEMORY, "no room for what is to be made again");
      const Matrix<float> y = p.parts != nullptr ? Matrix<float>{p.parts, p.e} : p.y;
      source.y_pairs = reinterpret_cast<uintptr_t>(y.data) % 8 == 0 && y.ld % 2 == 0;
      F2I_TRY(launch(ex_, "attention, Hopper", kernel, grid, dim3(X::threads), shared, p, source, alarm_));
      return launch(ex_, "attention, made again", repair_kernel<X::columns / 32>, dim3(static_cast<unsigned>(units), grid.y),
                    dim3(simt::threads), sizeof(simt::Shared<float>), p, source.failed);
    });
    return true;
  }

  Exec &ex_;
  const Problem<float> &p_;
  const Halves &halves_;
  uint32_t *const alarm_;
};

bool suits(Exec &ex, const Problem<float> &p, bool always) {
  // From where a tile of queries and one of keys are full: chosen by reasoning, not by measurement.
  constexpr int64_t least = 128;
  const int64_t keys = p.m + (p.null_rows > 0 ? 1 : 0), shortest = always ? 1 : least;
  // A bias is divided by the scale (attention_hopper_weights.cuh), and the largest logit is that of the largest product.
  const bool scales = p.scale >= 0x1p-40f && p.scale <= 0x1p40f;
  return device_of(ex).capability() == 90 && scales && p.d > 0 && p.d <= 128 && p.e > 0 && p.e <= 128 && p.n >= shortest &&
         keys >= shortest && p.n < 1 << 30 && keys < 1 << 30 && p.batch * p.heads < 1 << 30 && hopper::has_tensor_maps();
}

bool attend(Exec &ex, const Problem<float> &p, const Halves &halves, uint32_t *alarm, f2i_status &status) {
  status = F2I_OK;
  return Run(ex, p, halves, alarm).all(status);
}

} // namespace
} // namespace attend::wgmma

namespace hopper {

const AttentionPath &attention_by_wgmma() {
  static constexpr AttentionPath path{attend::wgmma::suits, attend::wgmma::attend};
  return path;
}
#if !defined(F2I_CUDA_SHIM)
const AttentionPath &attention_path() { return attention_by_wgmma(); }
#endif

} // namespace hopper
} // namespace f2i::cuda
