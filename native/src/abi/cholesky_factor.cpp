#include "abi/call.hpp"

extern "C" f2i_status f2i_cholesky_factor(f2i_context *context, const f2i_cholesky_factor_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::CholeskyFactor> call(context, "cholesky_factor", cpu::cholesky_factor);
    const auto args = abi::read_struct("cholesky_factor", arguments);
    call.reserved(args.reserved);
    call.op.shift = args.shift;
    auto &[shift, a, y] = call.op;

    call.input(a, "a", args.a);
    call.require_type(a, {F2I_F32, F2I_F64});
    call.require_square(a);
    call.output(y, "y", args.y, &a);
    call.require_same_type(y, a);
    call.require_shape(y, a.rows, a.cols);
    call.enqueue();
  });
}
