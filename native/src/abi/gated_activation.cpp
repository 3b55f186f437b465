#include "abi/call.hpp"

extern "C" f2i_status f2i_gated_activation(f2i_context *context, const f2i_gated_activation_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::GatedActivation> call(context, "gated_activation", cpu::gated_activation);
    const auto args = abi::read_struct("gated_activation", arguments);
    auto &[kind, x, y] = call.op;
    kind = call.activation("kind", args.kind);

    call.input(x, "x", args.x);
    call.require_type(x, {F2I_F32, F2I_F64});
    call.output(y, "y", args.y);
    call.require_same_type(y, x);
    call.require_shape(x, y.rows, call.product("x", 2, y.cols));
    call.enqueue();
  });
}
