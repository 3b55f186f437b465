#include "abi/call.hpp"

extern "C" f2i_status f2i_rotary(f2i_context *context, const f2i_rotary_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Rotary> call(context, "rotary", cpu::rotary);
    const auto args = abi::read_struct("rotary", arguments);
    cpu::Rotary &op = call.op;
    call.reserved(args.reserved);
    if (args.inside < 1) call.invalid("inside: expected 1 or more, found %lld", static_cast<long long>(args.inside));
    op.inside = args.inside;
    call.input(op.x, "x", args.x);
    call.require_type(op.x, {F2I_F32, F2I_F64});
    call.input(op.cos, "cos", args.cos);
    call.require_same_type(op.cos, op.x);
    call.input(op.sin, "sin", args.sin);
    call.require_same_type(op.sin, op.x);
    call.require_shape(op.sin, op.cos.rows, op.cos.cols);
    if (op.cos.cols > op.x.cols / 2 || (op.cos.rows > 0 && op.x.rows % call.product("cos", op.cos.rows, op.inside) != 0)) {
      call.invalid("cos: %lld positions of %lld pairs do not fit x", static_cast<long long>(op.cos.rows),
                   static_cast<long long>(op.cos.cols));
    }
    call.output(op.y, "y", args.y);
    call.require_same_type(op.y, op.x);
    call.require_shape(op.y, op.x.rows, op.x.cols);
    call.allow_empty_inputs(); // no pair turns
    call.enqueue();
  });
}
