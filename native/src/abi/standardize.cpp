#include "abi/call.hpp"

extern "C" f2i_status f2i_standardize(f2i_context *context, const f2i_standardize_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Standardize> call(context, "standardize", cpu::standardize);
    const auto args = abi::read_struct("standardize", arguments);
    call.reserved(args.reserved);
    auto &[x, mean, std, y] = call.op;

    call.input(x, "x", args.x);
    call.require_type(x, {F2I_F32, F2I_F64});
    call.optional_input(mean, "mean", args.mean);
    call.require_same_type(mean, x);
    call.require_shape(mean, 1, x.cols);
    call.optional_input(std, "std", args.std);
    call.require_same_type(std, x);
    call.require_shape(std, 1, x.cols);
    call.output(y, "y", args.y, &x);
    call.require_same_type(y, x);
    call.require_shape(y, x.rows, x.cols);
    call.enqueue();
  });
}
