#include "abi/call.hpp"

extern "C" f2i_status f2i_column_stats(f2i_context *context, const f2i_column_stats_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::ColumnStats> call(context, "column_stats", cpu::column_stats);
    const auto args = abi::read_struct("column_stats", arguments);
    auto &[ddof, x, mean, std] = call.op;
    ddof = args.ddof;

    call.input(x, "x", args.x);
    call.require_type(x, {F2I_F32, F2I_F64});
    if (args.mean.buffer == nullptr && args.std.buffer == nullptr) {
      call.invalid("mean and std: expected at least one output, found NULL buffers");
    }
    if (ddof < 0 || (args.std.buffer != nullptr && ddof >= x.rows)) {
      call.invalid("ddof: expected 0 to rows - 1 (%lld rows), found %d", static_cast<long long>(x.rows), ddof);
    }
    call.optional_output(mean, "mean", args.mean);
    call.require_same_type(mean, x);
    call.require_shape(mean, 1, x.cols);
    call.optional_output(std, "std", args.std);
    call.require_same_type(std, x);
    call.require_shape(std, 1, x.cols);
    call.enqueue();
  });
}
