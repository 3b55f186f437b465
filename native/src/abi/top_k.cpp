#include "abi/call.hpp"

extern "C" f2i_status f2i_top_k(f2i_context *context, const f2i_top_k_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::TopK> call(context, "top_k", cpu::top_k);
    const auto args = abi::read_struct("top_k", arguments);
    call.op.smallest = call.flag("smallest", args.smallest);
    auto &[smallest, x, values, indices] = call.op;

    call.input(x, "x", args.x);
    call.require_type(x, {F2I_F32, F2I_F64});
    call.output(values, "values", args.values);
    call.require_same_type(values, x);
    const int64_t k = values.cols;
    if (k < 1 || k > x.cols) {
      call.invalid("values: cols: expected k from 1 to %lld, found %lld", static_cast<long long>(x.cols),
                   static_cast<long long>(k));
    }
    call.require_shape(values, x.rows, k);
    call.output(indices, "indices", args.indices);
    call.require_type(indices, {F2I_I32});
    call.require_shape(indices, x.rows, k);
    call.enqueue();
  });
}
