#include "abi/call.hpp"

extern "C" f2i_status f2i_upsample_nearest(f2i_context *context, const f2i_upsample_nearest_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::UpsampleNearest> call(context, "upsample_nearest", cpu::upsample_nearest);
    const auto args = abi::read_struct("upsample_nearest", arguments);
    cpu::UpsampleNearest &op = call.op;
    if (args.factor < 1) call.invalid("factor: expected 1 or more, found %d", args.factor);
    op.factor = args.factor;
    call.input(op.x, "x", args.x);
    call.require_type(op.x, {F2I_F32, F2I_F64});
    call.output(op.y, "y", args.y);
    call.require_same_type(op.y, op.x);
    call.require_shape(op.y, call.product("y", op.x.rows, op.factor), call.product("y", op.x.cols, op.factor));
    call.enqueue();
  });
}
