#include "abi/call.hpp"

extern "C" f2i_status f2i_softmax(f2i_context *context, const f2i_softmax_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Softmax> call(context, "softmax", cpu::softmax);
    const auto args = abi::read_struct("softmax", arguments);
    cpu::Softmax &op = call.op;
    op.log = call.flag("log", args.log);
    call.input(op.x, "x", args.x);
    call.require_type(op.x, {F2I_F32, F2I_F64});
    call.output(op.y, "y", args.y, &op.x);
    call.require_same_type(op.y, op.x);
    call.require_shape(op.y, op.x.rows, op.x.cols);
    call.enqueue();
  });
}
