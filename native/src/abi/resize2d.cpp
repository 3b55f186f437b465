#include "abi/call.hpp"

extern "C" f2i_status f2i_resize2d(f2i_context *context, const f2i_resize2d_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Resize2d> call(context, "resize2d", cpu::resize2d);
    const auto args = abi::read_struct("resize2d", arguments);
    cpu::Resize2d &op = call.op;
    if (args.height < 1) call.invalid("height: expected 1 or more, found %d", args.height);
    op.height = args.height;
    call.input(op.x, "x", args.x);
    call.require_type(op.x, {F2I_F32, F2I_F64});
    if (op.x.rows % op.height != 0) {
      call.invalid("x: rows: expected a multiple of the height %lld, found %lld", static_cast<long long>(op.height),
                   static_cast<long long>(op.x.rows));
    }
    const auto copy = [&](const char *name, const f2i_taps &taps, int64_t inputs) -> cpu::Taps {
      if (taps.outputs < 1) call.invalid("%s.outputs: expected 1 or more, found %d", name, taps.outputs);
      if (taps.count < 1 || taps.count > inputs) {
        call.invalid("%s.count: expected 1 to %lld, found %d", name, static_cast<long long>(inputs), taps.count);
      }
      if (taps.first == nullptr || taps.weights == nullptr) call.invalid("%s: expected lists, found NULL", name);
      for (int32_t i = 0; i < taps.outputs; ++i) {
        if (taps.first[i] < 0 || taps.first[i] > inputs - taps.count) {
          call.invalid("%s.first[%d]: expected 0 to %lld, found %d", name, i,
                       static_cast<long long>(inputs - taps.count), taps.first[i]);
        }
      }
      const int64_t weights = int64_t{taps.outputs} * taps.count;
      return {taps.outputs, taps.count, {taps.first, taps.first + taps.outputs}, {taps.weights, taps.weights + weights}};
    };
    op.rows = copy("rows", args.rows, op.height);
    op.columns = copy("columns", args.columns, op.x.cols);
    call.output(op.y, "y", args.y);
    call.require_same_type(op.y, op.x);
    call.require_shape(op.y, call.product("y", op.x.rows / op.height, op.rows.outputs), op.columns.outputs);
    call.enqueue();
  });
}
