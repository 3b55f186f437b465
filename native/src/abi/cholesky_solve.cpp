#include "abi/call.hpp"

extern "C" f2i_status f2i_cholesky_solve(f2i_context *context, const f2i_cholesky_solve_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::CholeskySolve> call(context, "cholesky_solve", cpu::cholesky_solve);
    const auto args = abi::read_struct("cholesky_solve", arguments);
    call.reserved(args.reserved);
    auto &[l, b, y] = call.op;

    call.input(l, "l", args.l);
    call.require_type(l, {F2I_F32, F2I_F64});
    call.require_square(l);
    call.input(b, "b", args.b);
    call.require_same_type(b, l);
    call.require_shape(b, l.rows, b.cols);
    call.output(y, "y", args.y, &b);
    call.require_same_type(y, l);
    call.require_shape(y, b.rows, b.cols);
    call.enqueue();
  });
}
