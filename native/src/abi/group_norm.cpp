#include "abi/call.hpp"

#include <cmath>

extern "C" f2i_status f2i_group_norm(f2i_context *context, const f2i_group_norm_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::GroupNorm> call(context, "group_norm", cpu::group_norm);
    const auto args = abi::read_struct("group_norm", arguments);
    cpu::GroupNorm &op = call.op;
    op.activation = call.activation("activation", args.activation);
    if (!(args.eps >= 0 && std::isfinite(args.eps))) call.invalid("eps: expected 0 or more, found %g", args.eps);
    op.eps = args.eps;
    if (args.groups < 1 || args.channels < 1 || args.channels % args.groups != 0) {
      call.invalid("groups: expected a divisor of the channels %d, found %d", args.channels, args.groups);
    }
    op.channels = args.channels;
    op.groups = args.groups;
    call.input(op.x, "x", args.x);
    call.require_type(op.x, {F2I_F32, F2I_F64});
    if (op.x.rows % op.channels != 0) {
      call.invalid("x: shape: expected a multiple of %d rows, found %lld", args.channels,
                   static_cast<long long>(op.x.rows));
    }
    call.optional_input(op.gain, "gain", args.gain);
    call.require_same_type(op.gain, op.x);
    call.require_shape(op.gain, 1, op.channels);
    call.optional_input(op.bias, "bias", args.bias);
    call.require_same_type(op.bias, op.x);
    call.require_shape(op.bias, 1, op.channels);
    call.output(op.y, "y", args.y, &op.x);
    call.require_same_type(op.y, op.x);
    call.require_shape(op.y, op.x.rows, op.x.cols);
    call.enqueue();
  });
}
