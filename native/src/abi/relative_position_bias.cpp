#include "abi/call.hpp"

extern "C" f2i_status f2i_relative_position_bias(f2i_context *context, const f2i_relative_position_bias_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::RelativePositionBias> call(context, "relative_position_bias", cpu::relative_position_bias);
    const auto args = abi::read_struct("relative_position_bias", arguments);
    cpu::RelativePositionBias &op = call.op;
    call.reserved(args.reserved);
    call.input(op.table, "table", args.table);
    call.require_type(op.table, {F2I_F32, F2I_F64});
    call.output(op.y, "y", args.y);
    call.require_same_type(op.y, op.table);
    call.require_shape(op.y, op.table.cols, op.y.cols);
    const int64_t count = op.y.rows > 0 ? op.y.cols : 0; // without heads nothing is looked up
    if (count > 0 && args.buckets == nullptr) call.invalid("buckets: expected a list, found NULL");
    for (int64_t i = 0; i < count; ++i) {
      if (args.buckets[i] < 0 || args.buckets[i] >= op.table.rows) {
        call.invalid("buckets[%lld]: expected 0 to %lld, found %d", static_cast<long long>(i),
                     static_cast<long long>(op.table.rows - 1), args.buckets[i]);
      }
    }
    op.buckets = call.copy_list(args.buckets, count);
    call.enqueue();
  });
}
