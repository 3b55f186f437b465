#include "abi/call.hpp"

#include <cmath>

extern "C" f2i_status f2i_layer_norm(f2i_context *context, const f2i_layer_norm_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::LayerNorm> call(context, "layer_norm", cpu::layer_norm);
    const auto args = abi::read_struct("layer_norm", arguments);
    cpu::LayerNorm &op = call.op;
    call.reserved(args.reserved);
    op.activation = call.activation("activation", args.activation);
    op.stable = call.flag("stable", args.stable);
    if (!(args.eps >= 0 && std::isfinite(args.eps))) call.invalid("eps: expected 0 or more, found %g", args.eps);
    op.eps = args.eps;
    call.input(op.x, "x", args.x);
    call.require_type(op.x, {F2I_F32, F2I_F64});
    call.optional_input(op.gain, "gain", args.gain);
    call.require_same_type(op.gain, op.x);
    call.require_shape(op.gain, 1, op.x.cols);
    call.optional_input(op.bias, "bias", args.bias);
    call.require_same_type(op.bias, op.x);
    call.require_shape(op.bias, 1, op.x.cols);
    call.output(op.y, "y", args.y, &op.x);
    call.require_same_type(op.y, op.x);
    call.require_shape(op.y, op.x.rows, op.x.cols);
    call.enqueue();
  });
}
