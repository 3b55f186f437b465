#include "abi/call.hpp"

extern "C" f2i_status f2i_gram(f2i_context *context, const f2i_gram_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Gram> call(context, "gram", cpu::gram);
    const auto args = abi::read_struct("gram", arguments);
    call.op.columns = call.flag("columns", args.columns);
    call.op.alpha = args.alpha;
    auto &[columns, alpha, x, y] = call.op;

    call.input(x, "x", args.x);
    call.require_type(x, {F2I_F32, F2I_F64});
    const int64_t n = columns ? x.cols : x.rows;
    call.output(y, "y", args.y);
    call.require_same_type(y, x);
    call.require_shape(y, n, n);
    call.enqueue();
  });
}
