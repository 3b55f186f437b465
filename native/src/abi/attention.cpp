#include "abi/call.hpp"

#include <cmath>

extern "C" f2i_status f2i_attention(f2i_context *context, const f2i_attention_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Attention> call(context, "attention", cpu::attention);
    const auto args = abi::read_struct("attention", arguments);
    call.reserved(args.reserved);
    cpu::Attention &op = call.op;
    if (args.layout != F2I_HEADS_FIRST && args.layout != F2I_HEADS_INSIDE) {
      call.invalid("layout: expected 0 or 1, found %d", args.layout);
    }
    op.layout = args.layout;
    op.cosine = call.flag("cosine", args.cosine);
    op.causal = call.flag("causal", args.causal);
    op.shared = call.flag("shared", args.shared);
    op.bias_batch = call.flag("bias_batch", args.bias_batch);
    op.bias_heads = call.flag("bias_heads", args.bias_heads);
    if (!std::isfinite(args.scale)) call.invalid("scale: expected a finite number");
    if (args.batch < 0 || args.heads < 0) call.invalid("batch, heads: expected 0 or more");
    op.batch = args.batch;
    op.heads = args.heads;
    op.scale = args.scale;

    const auto per_head = [&](const char *name, int64_t rows, int64_t heads) -> int64_t {
      if (heads == 0 ? rows != 0 : rows % heads != 0) {
        call.invalid("%s: shape: expected a multiple of %lld rows, found %lld", name, static_cast<long long>(heads),
                     static_cast<long long>(rows));
      }
      return heads == 0 ? 0 : rows / heads;
    };
    call.input(op.q, "q", args.q);
    call.require_type(op.q, {F2I_F32, F2I_F64});
    const int64_t planes = call.product("batch and heads", args.batch, args.heads), owners = op.shared ? args.batch : planes;
    const int64_t n = per_head("q", op.q.rows, planes);
    call.input(op.k, "k", args.k);
    call.require_same_type(op.k, op.q);
    const int64_t m = per_head("k", op.k.rows, owners);
    call.require_shape(op.k, op.k.rows, op.q.cols);
    call.input(op.v, "v", args.v);
    call.require_same_type(op.v, op.q);
    call.require_shape(op.v, op.k.rows, op.v.cols);
    call.optional_input(op.null_key, "null_key", args.null_key);
    call.optional_input(op.null_value, "null_value", args.null_value);
    if ((args.null_key.buffer == nullptr) != (args.null_value.buffer == nullptr)) {
      call.invalid("null_key and null_value: expected both or neither");
    }
    const int64_t nulls = args.null_key.buffer != nullptr ? 1 : 0;
    for (const auto &[null, cols] : {std::pair{&op.null_key, op.q.cols}, std::pair{&op.null_value, op.v.cols}}) {
      call.require_same_type(*null, op.q);
      call.require_shape(*null, null->rows == 1 ? 1 : args.heads, cols);
    }
    if (op.shared && (op.null_key.rows > 1 || op.null_value.rows > 1)) {
      // Heads share their packed keys: a null key of their own would need a copy each.
      op.shared = false;
      op.repeated = true;
    }
    call.optional_input(op.bias, "bias", args.bias);
    call.require_same_type(op.bias, op.q);
    const int64_t biases = (op.bias_batch ? args.batch : 1) * (op.bias_heads ? args.heads : 1);
    call.require_shape(op.bias, call.product("bias", biases, n), m + nulls);
    call.optional_input(op.mask, "mask", args.mask);
    call.require_type(op.mask, {F2I_U8});
    call.require_shape(op.mask, args.batch, m);
    call.output(op.y, "y", args.y);
    call.require_same_type(op.y, op.q);
    call.require_shape(op.y, op.q.rows, op.v.cols);
    call.optional_output(op.lse, "lse", args.lse);
    call.require_same_type(op.lse, op.q);
    call.require_shape(op.lse, planes, planes == 0 ? op.lse.cols : n);
    call.allow_empty_inputs(); // no keys, or keys of no dimension
    call.enqueue();
  });
}
