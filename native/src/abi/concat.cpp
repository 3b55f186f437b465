#include "abi/call.hpp"

extern "C" f2i_status f2i_concat(f2i_context *context, const f2i_concat_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Concat> call(context, "concat", cpu::concat);
    const auto args = abi::read_struct("concat", arguments);
    cpu::Concat &op = call.op;
    if (args.count < 1 || args.count > F2I_MAX_PARTS) {
      call.invalid("count: expected 1 to %d, found %d", F2I_MAX_PARTS, args.count);
    }
    if (args.x == nullptr) call.invalid("x: expected a list of matrices, found NULL");
    op.parts.resize(static_cast<size_t>(args.count));
    int64_t cols = 0;
    for (size_t i = 0; i < op.parts.size(); ++i) {
      call.input(op.parts[i], "x", args.x[i]);
      call.require_same_type(op.parts[i], op.parts[0]);
      call.require_shape(op.parts[i], op.parts[0].rows, op.parts[i].cols);
      cols = call.sum("x", cols, op.parts[i].cols);
    }
    call.output(op.y, "y", args.y);
    call.require_same_type(op.y, op.parts[0]);
    call.require_shape(op.y, op.parts[0].rows, cols);
    call.allow_empty_inputs(); // a part of no columns
    call.enqueue();
  });
}
