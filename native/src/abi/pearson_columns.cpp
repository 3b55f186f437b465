#include "abi/call.hpp"

extern "C" f2i_status f2i_pearson_columns(f2i_context *context, const f2i_pearson_columns_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::PearsonColumns> call(context, "pearson_columns", cpu::pearson_columns);
    const auto args = abi::read_struct("pearson_columns", arguments);
    call.reserved(args.reserved);
    auto &[a, b, y] = call.op;

    call.input(a, "a", args.a);
    call.require_type(a, {F2I_F32, F2I_F64});
    call.input(b, "b", args.b);
    call.require_same_type(b, a);
    call.require_shape(b, a.rows, a.cols);
    call.output(y, "y", args.y);
    call.require_same_type(y, a);
    call.require_shape(y, 1, a.cols);
    call.enqueue();
  });
}
