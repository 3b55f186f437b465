// Which ops the device of a context has.
#include <iterator>
#include <string_view>

#include "abi/device_ops.hpp"
#include "abi/guard.hpp"
#include "runtime/context.hpp"

namespace f2i::abi {
namespace {

template <class Op> bool driven(const DeviceOps &ops) { return ops.of<Op>() != nullptr; }

struct Entry {
  std::string_view name;
  bool (*driven)(const DeviceOps &ops);
};

constexpr Entry entries[] = {
    {"activation", driven<cpu::Activation>},
    {"adaptive_max_pool1d", driven<cpu::AdaptiveMaxPool1d>},
    {"attention", driven<cpu::Attention>},
    {"cast", driven<cpu::Cast>},
    {"cholesky_factor", driven<cpu::CholeskyFactor>},
    {"cholesky_solve", driven<cpu::CholeskySolve>},
    {"column_stats", driven<cpu::ColumnStats>},
    {"concat", driven<cpu::Concat>},
    {"conv2d", driven<cpu::Conv2d>},
    {"cosine_matrix", driven<cpu::CosineMatrix>},
    {"eigh", driven<cpu::Eigh>},
    {"elementwise", driven<cpu::Elementwise>},
    {"gated_activation", driven<cpu::GatedActivation>},
    {"gather", driven<cpu::Gather>},
    {"gemm", driven<cpu::Gemm>},
    {"gram", driven<cpu::Gram>},
    {"group_norm", driven<cpu::GroupNorm>},
    {"layer_norm", driven<cpu::LayerNorm>},
    {"linear", driven<cpu::Linear>},
    {"pearson_columns", driven<cpu::PearsonColumns>},
    {"permute", driven<cpu::Permute>},
    {"random_normal", driven<cpu::RandomNormal>},
    {"relative_position_bias", driven<cpu::RelativePositionBias>},
    {"resize2d", driven<cpu::Resize2d>},
    {"rotary", driven<cpu::Rotary>},
    {"slice", driven<cpu::Slice>},
    {"softmax", driven<cpu::Softmax>},
    {"standardize", driven<cpu::Standardize>},
    {"top_k", driven<cpu::TopK>},
    {"triangular_solve", driven<cpu::TriangularSolve>},
    {"upsample_nearest", driven<cpu::UpsampleNearest>},
};
static_assert(std::size(entries) == DeviceOps::count, "every op has a name");

} // namespace
} // namespace f2i::abi

using namespace f2i;
using abi::guard, abi::refuse, abi::require_context;

extern "C" f2i_status f2i_context_supports(f2i_context *context, const char *op) {
  return guard([&] {
    require_context(context, "context_supports");
    if (op == nullptr) refuse(F2I_INVALID_ARGUMENT, "context_supports: op: expected a name, found NULL");
    for (const abi::Entry &entry : abi::entries) {
      if (entry.name != op) continue;
      if (context->device && !entry.driven(context->device->ops())) {
        refuse(F2I_UNSUPPORTED, "%s: no kernel of this device yet", op);
      }
      return;
    }
    refuse(F2I_INVALID_ARGUMENT, "context_supports: op: expected the name of an op, found \"%s\"", op);
  });
}
