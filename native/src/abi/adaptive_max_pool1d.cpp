#include "abi/call.hpp"

extern "C" f2i_status f2i_adaptive_max_pool1d(f2i_context *context, const f2i_adaptive_max_pool1d_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::AdaptiveMaxPool1d> call(context, "adaptive_max_pool1d", cpu::adaptive_max_pool1d);
    const auto args = abi::read_struct("adaptive_max_pool1d", arguments);
    call.reserved(args.reserved);
    auto &[x, y] = call.op;
    call.input(x, "x", args.x);
    call.require_type(x, {F2I_F32, F2I_F64});
    call.output(y, "y", args.y);
    call.require_same_type(y, x);
    call.require_shape(y, x.rows, y.cols);
    call.product("x and y", x.cols, y.cols); // bounds of windows are found with it
    call.enqueue();
  });
}
