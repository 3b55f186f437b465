#include "abi/call.hpp"

extern "C" f2i_status f2i_gemm(f2i_context *context, const f2i_gemm_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Gemm> call(context, "gemm", cpu::gemm);
    const auto args = abi::read_struct("gemm", arguments);
    call.reserved(args.reserved);
    call.op.trans_a = call.flag("trans_a", args.trans_a);
    call.op.trans_b = call.flag("trans_b", args.trans_b);
    call.op.alpha = args.alpha;
    call.op.beta = args.c.buffer != nullptr ? args.beta : 0;
    auto &[trans_a, trans_b, alpha, beta, a, b, c, bias, y] = call.op;

    call.input(a, "a", args.a);
    call.require_type(a, {F2I_F32, F2I_F64, F2I_F16, F2I_BF16});
    const int64_t m = trans_a ? a.cols : a.rows, k = trans_a ? a.rows : a.cols;
    call.input(b, "b", args.b);
    if (a.dtype == F2I_F64) call.require_type(b, {F2I_F64});
    else call.require_type(b, {F2I_F32, F2I_F16, F2I_BF16});
    const f2i_dtype sums = a.dtype == F2I_F64 ? F2I_F64 : F2I_F32;
    const int64_t n = trans_b ? b.rows : b.cols;
    call.require_shape(b, trans_b ? n : k, trans_b ? k : n);
    call.optional_input(c, "c", args.c);
    call.require_type(c, {sums});
    call.require_shape(c, m, n);
    call.optional_input(bias, "bias", args.bias);
    call.require_type(bias, {sums});
    call.require_shape(bias, 1, n);
    call.output(y, "y", args.y, &c);
    call.require_type(y, {sums});
    call.require_shape(y, m, n);
    call.allow_empty_inputs(); // k = 0
    call.enqueue();
  });
}
