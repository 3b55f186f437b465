// The host's side of gemm_hopper.cuh: operands as the copy engine can take them, their tensor maps, the launch.
//
//   bf16, f16   as they lie, if rows begin at multiples of 16 bytes (b also across: rows are terms); others are packed first
//   tf32        packed, which rounds
//   f32         packed into a big and a small part
#include "cuda/gemm_hopper.cuh"

#include <string>

#include "cuda/tensor_map.hpp"

namespace f2i::cuda::hopper {
namespace {

constexpr int64_t shortest_range = 512; // terms of a range of a long sum, roughly

/// across: b's rows are terms.
template <Kind kind, bool across>
__global__ void __launch_bounds__(threads, 1)
    product_kernel(const __grid_constant__ Work<float> work, const __grid_constant__ Pairs pairs,
                   const __grid_constant__ Maps maps, volatile uint32_t *alarm) {
#if F2I_HOPPER
  run_block<kind, across>(work, pairs, maps, alarm);
#endif
}

/// A matrix of `wide` entries in each of `high` rows, in boxes of 128 bytes by `box` rows.
bool encode(CUtensorMap &map, const void *data, f2i_dtype type, int64_t wide, int64_t high, int64_t ld, int64_t box) {
  return encode(map, Tensor{2, data, type, {wide, high}, {1, ld}, {row_bytes / size_of(type), box}});
}

/// What an operand is once the copy engine can take it.
struct Ready {
  const void *data = nullptr;
  const float *small = nullptr;
  int64_t ld = 0;
  bool across = false; // rows are terms
};

class Run {
public:
  Run(Exec &ex, const char *name, Kind kind, const Product<float> &p, uint32_t *alarm = nullptr)
      : ex_(ex), name_(name), kind_(kind), p_(p), alarm_(alarm) {}

  bool halves() const { return kind_ == Kind::bf16 || kind_ == Kind::f16; }
  f2i_dtype type() const { return kind_ == Kind::bf16 ? F2I_BF16 : kind_ == Kind::f16 ? F2I_F16 : F2I_F32; }
  /// As it lies: halves, aligned; terms are neighbours, or (b) rows are.
  bool as_it_lies(const Operand &x, bool may_be_across) const {
    const int64_t ld = x.along() ? x.by_row : x.by_term;
    return halves() && x.dtype == type() && reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && ld % 8 == 0 && ld > 0 &&
           (x.along() || may_be_across);
  }
  /// Is it large enough for whole tiles, and to pay for what must be packed?
  bool pays() const {
    const int64_t least = p_.m < p_.n ? p_.m : p_.n;
    const bool packs = !as_it_lies(p_.a, false) || !as_it_lies(p_.b, true);
    return least >= (packs ? 512 : 129) && p_.k >= 128;
  }
  /// Rows, columns and terms are coordinates of tensor maps.
  bool possible() const { return p_.k > 0 && p_.m < INT32_MAX && p_.n < INT32_MAX && p_.k < INT32_MAX; }

  /// False where no map could be made, or something failed before y was written.
  bool all(f2i_status &status) const {
    status = F2I_OK;
    Ready a, b;
    if (!ready(p_.a, false, p_.m, nullptr, a, status)) return false;
    const bool same = p_.lower && p_.a.data == p_.b.data && p_.a.by_row == p_.b.by_row;
    if (same && !a.across) return part(p_, a, a, status);
    if (p_.lower || as_it_lies(p_.b, true)) return ready(p_.b, true, p_.n, nullptr, b, status) && part(p_, a, b, status);
    // What is packed of b is kept small: strips of columns, one after the other in the same place.
    const int64_t ld = padded(p_.k), bytes = ld * size_of(type()) * parts();
    const int64_t most = (int64_t{256} << 20) / bytes / 256 * 256, strip = most < 1024 ? 1024 : most;
    void *const place = ex_.scratch(static_cast<uint64_t>((strip < p_.n ? strip : p_.n) * bytes));
    if (place == nullptr) return lacks(status);
    for (int64_t j = 0; j < p_.n; j += strip) {
      Product<float> some = p_;
      some.n = p_.n - j < strip ? p_.n - j : strip;
      some.b.data = static_cast<const char *>(p_.b.data) + j * p_.b.by_row * size_of(p_.b.dtype);
      some.finish.y += j;
      for (const float **const beside : {&some.finish.c, &some.finish.row_bias, &some.finish.residual}) {
        if (*beside != nullptr) *beside += j;
      }
      const bool done = ready(some.b, true, some.n, place, b, status) && part(some, a, b, status);
      if (!done && j > 0 && status == F2I_OK) status = ex_.fail(F2I_INTERNAL, "kernel %s: no tensor map", name_);
      if (!done || status != F2I_OK) return j > 0 || status != F2I_OK;
    }
    return true;
  }

private:
  int64_t parts() const { return kind_ == Kind::f32 ? 2 : 1; }
  int64_t padded(int64_t k) const { return ceil_div(k, 8) * 8; }
  /// No other way without the room: results would depend on the ceiling.
  bool lacks(f2i_status &status) const {
    status = ex_.fail(F2I_OUT_OF_MEMORY, "no room for packed operands or sums of ranges of terms");
    return false;
  }

  bool ready(const Operand &x, bool may_be_across, int64_t rows, void *place, Ready &result, f2i_status &status) const {
    if (as_it_lies(x, may_be_across)) {
      result = {x.data, nullptr, x.along() ? x.by_row : x.by_term, !x.along()};
      return true;
    }
    const int64_t ld = padded(p_.k), bytes = rows * ld * size_of(type());
    if (place == nullptr) place = ex_.scratch(static_cast<uint64_t>(bytes * parts()));
    if (place == nullptr) return lacks(status);
    float *const small = kind_ == Kind::f32 ? reinterpret_cast<float *>(static_cast<char *>(place) + bytes) : nullptr;
    status = pack(ex_, x, rows, p_.k, type(), place, small, ld);
    result = {place, small, ld, false};
    return status == F2I_OK;
  }

  template <Kind kind, bool across>
  bool launch_pairs(Work<float> &work, const Ready &a, const Ready &b, f2i_status &status) const {
    void (*const kernel)(Work<float>, Pairs, Maps, volatile uint32_t *) = product_kernel<kind, across>;
    static const bool there = is_built_for_hopper(reinterpret_cast<const void *>(kernel));
    if (!there) return false;
    const Product<float> &p = work.product;
    constexpr int columns = columns_of<kind>;
    Maps maps{};
    for (int i = 0; i < parts_of<kind>; ++i) {
      const void *const of_a = i == 0 ? a.data : a.small, *const of_b = i == 0 ? b.data : b.small;
      if (!encode(maps.a[i], of_a, type(), p.k, p.m, a.ld, tile_rows)) return false;
      const bool encoded = across ? encode(maps.b[i], of_b, type(), p.n, p.k, b.ld, 64)
                                  : encode(maps.b[i], of_b, type(), p.k, p.n, b.ld, columns / 2);
      if (!encoded) return false;
    }
    CudaDevice &device = device_of(ex_);
    Pairs pairs{ceil_div(p.m, 2 * tile_rows), ceil_div(p.n, columns), 1};
    const int64_t at_once = device.processors() / 2, tiles = pairs.all();
    // Few tiles and long sums: ranges of terms, joined in their order.
    int64_t splits = at_once / tiles < p.k / shortest_range ? at_once / tiles : p.k / shortest_range;
    if (splits > 1) {
      work.parts = ex_.scratch_of<float>(splits * p.m * p.n);
      if (work.parts == nullptr) return lacks(status);
    }
    if (splits < 1) splits = 1;
    constexpr int64_t whole = 64;
    work.range = ceil_div(ceil_div(p.k, splits), whole) * whole;
    pairs.ranges = ceil_div(p.k, work.range);
    if (pairs.ranges == 1) work.parts = nullptr;

    constexpr size_t shared = sizeof(Room<kind>) + alignment;
    static_assert(shared <= 227 << 10);
    const int64_t blocks = 2 * (pairs.all() < at_once ? pairs.all() : at_once);
    status = launch_clusters(ex_, (std::string(name_) + ", Hopper").c_str(), 2, kernel, dim3(static_cast<unsigned>(blocks)),
                             dim3(threads), shared, work, pairs, maps, static_cast<volatile uint32_t *>(alarm_));
    if (status == F2I_OK && work.parts != nullptr) status = join_ranges(ex_, name_, p, work.parts, pairs.ranges);
    return true;
  }

  bool part(const Product<float> &p, const Ready &a, const Ready &b, f2i_status &status) const {
    Work<float> work{p};
    switch (kind_) {
    case Kind::bf16:
      return b.across ? launch_pairs<Kind::bf16, true>(work, a, b, status)
                      : launch_pairs<Kind::bf16, false>(work, a, b, status);
    case Kind::f16:
      return b.across ? launch_pairs<Kind::f16, true>(work, a, b, status)
                      : launch_pairs<Kind::f16, false>(work, a, b, status);
    case Kind::tf32: return launch_pairs<Kind::tf32, false>(work, a, b, status);
    default: return launch_pairs<Kind::f32, false>(work, a, b, status);
    }
  }

  Exec &ex_;
  const char *const name_;
  const Kind kind_;
  const Product<float> &p_;
  uint32_t *const alarm_;
};

Kind own_kind(mma::Kind kind) {
  switch (kind) {
  case mma::Kind::bf16:
  case mma::Kind::bf16_of_f32: return Kind::bf16;
  case mma::Kind::f16:
  case mma::Kind::f16_of_f32: return Kind::f16;
  case mma::Kind::tf32: return Kind::tf32;
  default: return Kind::f32;
  }
}

bool suits(Exec &ex, const Product<float> &p, mma::Kind kind, bool always) {
  if (device_of(ex).capability() != 90 || p.planes * p.groups != 1 || p.a.is_patches || p.b.is_patches) return false;
  if (kind == mma::Kind::f32 && (p.a.half() || p.b.half())) return false; // fewer products by mma.sync
  const Run run(ex, "", own_kind(kind), p);
  return run.possible() && (always || run.pays()) && has_tensor_maps();
}

bool multiply(Exec &ex, const char *name, const Product<float> &p, mma::Kind kind, uint32_t *alarm, f2i_status &status) {
  return Run(ex, name, own_kind(kind), p, alarm).all(status);
}

Extents extents(mma::Kind kind, int processors) {
  const Kind own = own_kind(kind);
  const auto of = [&]<Kind k>() {
    return Extents{2 * tile_rows, columns_of<k>, depth_of<k>, stages_of<k>, processors / 2, shortest_range};
  };
  switch (own) {
  case Kind::bf16: return of.template operator()<Kind::bf16>();
  case Kind::f16: return of.template operator()<Kind::f16>();
  case Kind::tf32: return of.template operator()<Kind::tf32>();
  default: return of.template operator()<Kind::f32>();
  }
}

/// Kernels give up after some seconds (patience.cuh): this is for what they cannot see.
std::chrono::milliseconds longest_check() { return std::chrono::seconds(60); }

} // namespace

const Path &by_wgmma() {
  static constexpr Path own{extents, suits, multiply, longest_check};
  return own;
}
#if !defined(F2I_CUDA_SHIM)
const Path &path() { return by_wgmma(); }
#endif

} // namespace f2i::cuda::hopper
