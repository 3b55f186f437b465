#include "abi/call.hpp"

extern "C" f2i_status f2i_gemm(f2i_context *context, const f2i_gemm_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Gemm> call(context, "gemm", cpu::gemm);
    const auto args = abi::read_struct("gemm", arguments, offsetof(f2i_gemm_args, batch));
    call.op.trans_a = call.flag("trans_a", args.trans_a);
    call.op.trans_b = call.flag("trans_b", args.trans_b);
    call.op.shared_b = call.flag("shared_b", args.shared_b);
    if (args.batch < 0) call.invalid("batch: expected 0 or more, found %lld", static_cast<long long>(args.batch));
    call.op.batch = args.batch == 0 ? 1 : args.batch;
    call.op.alpha = args.alpha;
    call.op.beta = args.c.buffer != nullptr ? args.beta : 0;
    auto &[trans_a, trans_b, shared_b, batch, alpha, beta, a, b, c, bias, y] = call.op;
    const int64_t planes = batch, planes_of_b = shared_b ? 1 : batch;
    const auto in_plane = [&](const char *name, const View &x, int64_t of) {
      if (x.rows % of != 0) {
        call.invalid("%s: shape: expected rows of %lld planes, found %lld", name, static_cast<long long>(of),
                     static_cast<long long>(x.rows));
      }
      return x.rows / of;
    };

    call.input(a, "a", args.a);
    call.require_type(a, {F2I_F32, F2I_F64, F2I_F16, F2I_BF16});
    const int64_t a_rows = in_plane("a", a, planes), m = trans_a ? a.cols : a_rows, k = trans_a ? a_rows : a.cols;
    call.input(b, "b", args.b);
    if (a.dtype == F2I_F64) call.require_type(b, {F2I_F64});
    else call.require_type(b, {F2I_F32, F2I_F16, F2I_BF16});
    const f2i_dtype sums = a.dtype == F2I_F64 ? F2I_F64 : F2I_F32;
    const int64_t n = trans_b ? in_plane("b", b, planes_of_b) : b.cols;
    call.require_shape(b, call.product("b", planes_of_b, trans_b ? n : k), trans_b ? k : n);
    const int64_t rows = call.product("y", planes, m);
    call.optional_input(c, "c", args.c);
    call.require_type(c, {sums});
    call.require_shape(c, rows, n);
    call.optional_input(bias, "bias", args.bias);
    call.require_type(bias, {sums});
    call.require_shape(bias, bias.rows == planes ? planes : 1, n);
    call.output(y, "y", args.y, &c);
    call.require_type(y, {sums});
    call.require_shape(y, rows, n);
    call.allow_empty_inputs(); // k = 0
    call.enqueue();
  });
}
