#include "abi/call.hpp"

extern "C" f2i_status f2i_slice(f2i_context *context, const f2i_slice_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Slice> call(context, "slice", cpu::slice);
    const auto args = abi::read_struct("slice", arguments);
    cpu::Slice &op = call.op;
    call.reserved(args.reserved);
    op.start = args.start;
    call.input(op.x, "x", args.x);
    call.output(op.y, "y", args.y);
    call.require_same_type(op.y, op.x);
    call.require_shape(op.y, op.x.rows, op.y.cols);
    if (args.start < 0 || args.start > op.x.cols - op.y.cols) {
      call.invalid("start: expected 0 to %lld, found %lld", static_cast<long long>(op.x.cols - op.y.cols),
                   static_cast<long long>(args.start));
    }
    call.enqueue();
  });
}
