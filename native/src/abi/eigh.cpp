#include "abi/call.hpp"

extern "C" f2i_status f2i_eigh(f2i_context *context, const f2i_eigh_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Eigh> call(context, "eigh", cpu::eigh);
    const auto args = abi::read_struct("eigh", arguments);
    call.reserved(args.reserved);
    auto &[a, w, q] = call.op;

    call.input(a, "a", args.a);
    call.require_type(a, {F2I_F32, F2I_F64});
    call.require_square(a);
    call.output(w, "w", args.w);
    call.require_same_type(w, a);
    call.require_shape(w, 1, a.rows);
    call.output(q, "q", args.q);
    call.require_same_type(q, a);
    call.require_shape(q, a.rows, a.cols);
    call.enqueue();
  });
}
