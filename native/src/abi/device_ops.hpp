// The ops of a device other than the processor: one driver each, null where it
// has none yet. They take the same structs as the drivers of the processor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>

#include "cpu/drivers.hpp"

namespace f2i {

template <class Op> using Driver = f2i_status (*)(Exec &, const Op &);

template <class... Ops> struct DriverTable : private std::tuple<Driver<Ops>...> {
  static constexpr std::size_t count = sizeof...(Ops);
  /// Null, too, for an op that is none of the list's.
  template <class Op> Driver<Op> of() const {
    if constexpr ((std::is_same_v<Op, Ops> || ...)) return std::get<Driver<Op>>(*this);
    else return nullptr;
  }
  template <class Op> void set(Driver<Op> driver) { std::get<Driver<Op>>(*this) = driver; }
  /// Differs where the structs do: core and library must agree.
  static constexpr uint64_t layout() {
    uint64_t hash = 0xcbf29ce484222325; // FNV-1a
    for (const uint64_t size : {sizeof(Ops)..., sizeof(View), sizeof(void *)}) hash = (hash ^ size) * 0x100000001b3;
    return hash;
  }
};

struct DeviceOps
    : DriverTable<cpu::Gemm, cpu::Linear, cpu::Activation, cpu::GatedActivation, cpu::Attention, cpu::LayerNorm,
                  cpu::GroupNorm, cpu::Softmax, cpu::Conv2d, cpu::Concat, cpu::Slice, cpu::Permute, cpu::Rotary,
                  cpu::RelativePositionBias, cpu::UpsampleNearest, cpu::Resize2d, cpu::AdaptiveMaxPool1d,
                  cpu::RandomNormal, cpu::Gram, cpu::CholeskyFactor, cpu::CholeskySolve, cpu::TriangularSolve,
                  cpu::Eigh, cpu::ColumnStats, cpu::Standardize, cpu::PearsonColumns, cpu::CosineMatrix, cpu::TopK,
                  cpu::Elementwise, cpu::Gather, cpu::Cast> {};

} // namespace f2i
