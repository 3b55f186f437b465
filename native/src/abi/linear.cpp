#include "abi/call.hpp"

extern "C" f2i_status f2i_linear(f2i_context *context, const f2i_linear_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Linear> call(context, "linear", cpu::linear);
    const auto args = abi::read_struct("linear", arguments);
    call.reserved(args.reserved);
    auto &[activation, x, bias, residual, y, weights] = call.op;
    activation = call.activation("activation", args.activation);
    if (args.shards < 1 || args.shards > F2I_MAX_SHARDS) {
      call.invalid("shards: expected 1 to %d, found %d", F2I_MAX_SHARDS, args.shards);
    }
    if (args.w == nullptr) call.invalid("w: expected a list of matrices, found NULL");

    call.input(x, "x", args.x);
    call.require_type(x, {F2I_F32, F2I_F64});
    weights.resize(static_cast<size_t>(args.shards));
    int64_t n = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      call.input(weights[i], "w", args.w[i]);
      if (x.dtype == F2I_F64) call.require_type(weights[i], {F2I_F64});
      else call.require_type(weights[i], {F2I_F32, F2I_F16, F2I_BF16});
      call.require_same_type(weights[i], weights[0]);
      call.require_shape(weights[i], weights[i].rows, x.cols);
      n = call.sum("w", n, weights[i].rows);
    }
    call.optional_input(bias, "bias", args.bias);
    call.require_same_type(bias, x);
    call.require_shape(bias, 1, n);
    call.optional_input(residual, "residual", args.residual);
    call.require_same_type(residual, x);
    call.require_shape(residual, x.rows, n);
    call.output(y, "y", args.y);
    call.require_same_type(y, x);
    call.require_shape(y, x.rows, n);
    call.allow_empty_inputs(); // k = 0, or a shard without rows
    call.enqueue();
  });
}
