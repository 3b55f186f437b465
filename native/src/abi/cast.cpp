#include "abi/call.hpp"

extern "C" f2i_status f2i_cast(f2i_context *context, const f2i_cast_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Cast> call(context, "cast", cpu::cast);
    const auto args = abi::read_struct("cast", arguments);
    call.reserved(args.reserved);
    auto &[x, y] = call.op;

    call.input(x, "x", args.x);
    call.output(y, "y", args.y);
    call.require_shape(y, x.rows, x.cols);
    call.enqueue();
  });
}
