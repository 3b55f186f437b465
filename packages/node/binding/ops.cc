// One function an op, mirroring src/native/encode.ts: scalars and operands are
// read in the order in which they were packed there.
#include "context.hpp"
#include "errors.hpp"

namespace f2i::node {

template <class Args>
void Context::enqueue(f2i_status (*op)(f2i_context *, const Args *), const Args &args, const Arguments &from) {
  f2i_context *context = open();
  if (from.stale_operand() >= 0) {
    const std::string text = "operand " + std::to_string(from.stale_operand()) + " has been freed";
    throw error_of(Env(), F2I_INVALID_ARGUMENT, text.c_str());
  }
  if (from.token() != token_) {
    check(f2i_context_set_token(context, tokens_.find(from.token())));
    token_ = from.token();
  }
  check(f2i_context_set_tag(context, from.tag()));
  check(op(context, &args));
}

void Context::activation(const Napi::CallbackInfo &) {
  f2i_activation_args args = F2I_INIT(f2i_activation_args);
  Arguments from = arguments();
  args.kind = from.integer(0);
  from.operands(args.x, args.y);
  enqueue(f2i_activation, args, from);
}

void Context::attention(const Napi::CallbackInfo &) {
  f2i_attention_args args = F2I_INIT(f2i_attention_args);
  Arguments from = arguments();
  args.layout = from.integer(0);
  args.cosine = from.integer(1);
  args.causal = from.integer(2);
  args.shared = from.integer(3);
  args.bias_batch = from.integer(4);
  args.bias_heads = from.integer(5);
  args.batch = from.integer(6);
  args.heads = from.integer(7);
  args.scale = from.number(8);
  from.operands(args.q, args.k, args.v, args.null_key, args.null_value, args.bias, args.mask, args.y, args.lse);
  enqueue(f2i_attention, args, from);
}

void Context::cast(const Napi::CallbackInfo &) {
  f2i_cast_args args = F2I_INIT(f2i_cast_args);
  Arguments from = arguments();
  from.operands(args.x, args.y);
  enqueue(f2i_cast, args, from);
}

void Context::cholesky_factor(const Napi::CallbackInfo &) {
  f2i_cholesky_factor_args args = F2I_INIT(f2i_cholesky_factor_args);
  Arguments from = arguments();
  args.shift = from.number(0);
  from.operands(args.a, args.y);
  enqueue(f2i_cholesky_factor, args, from);
}

void Context::cholesky_solve(const Napi::CallbackInfo &) {
  f2i_cholesky_solve_args args = F2I_INIT(f2i_cholesky_solve_args);
  Arguments from = arguments();
  from.operands(args.l, args.b, args.y);
  enqueue(f2i_cholesky_solve, args, from);
}

void Context::column_stats(const Napi::CallbackInfo &) {
  f2i_column_stats_args args = F2I_INIT(f2i_column_stats_args);
  Arguments from = arguments();
  args.ddof = from.integer(0);
  from.operands(args.x, args.mean, args.std);
  enqueue(f2i_column_stats, args, from);
}

void Context::cosine_matrix(const Napi::CallbackInfo &) {
  f2i_cosine_matrix_args args = F2I_INIT(f2i_cosine_matrix_args);
  Arguments from = arguments();
  from.operands(args.a, args.b, args.y);
  enqueue(f2i_cosine_matrix, args, from);
}

void Context::eigh(const Napi::CallbackInfo &) {
  f2i_eigh_args args = F2I_INIT(f2i_eigh_args);
  Arguments from = arguments();
  from.operands(args.a, args.w, args.q);
  enqueue(f2i_eigh, args, from);
}

void Context::elementwise(const Napi::CallbackInfo &) {
  f2i_elementwise_args args = F2I_INIT(f2i_elementwise_args);
  Arguments from = arguments();
  args.kind = from.integer(0);
  args.scalar = from.number(1);
  from.operands(args.a, args.b, args.y);
  enqueue(f2i_elementwise, args, from);
}

void Context::gated_activation(const Napi::CallbackInfo &) {
  f2i_gated_activation_args args = F2I_INIT(f2i_gated_activation_args);
  Arguments from = arguments();
  args.kind = from.integer(0);
  from.operands(args.x, args.y);
  enqueue(f2i_gated_activation, args, from);
}

/// gather(rows?: Int32Array, cols?: Int32Array): the core copies the lists.
void Context::gather(const Napi::CallbackInfo &info) {
  const auto list = [](const Napi::Value &value) -> const int32_t * {
    if (value.IsUndefined()) return nullptr;
    // An empty array may have no memory, but it is still a list.
    static constexpr int32_t none = 0;
    const auto array = value.As<Napi::Int32Array>();
    return array.ElementLength() > 0 ? array.Data() : &none;
  };
  f2i_gather_args args = F2I_INIT(f2i_gather_args);
  Arguments from = arguments();
  args.row_indices = list(info[0]);
  args.col_indices = list(info[1]);
  from.operands(args.x, args.y);
  enqueue(f2i_gather, args, from);
}

void Context::gemm(const Napi::CallbackInfo &) {
  f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
  Arguments from = arguments();
  args.trans_a = from.integer(0);
  args.trans_b = from.integer(1);
  args.alpha = from.number(2);
  args.beta = from.number(3);
  from.operands(args.a, args.b, args.c, args.bias, args.y);
  enqueue(f2i_gemm, args, from);
}

void Context::gram(const Napi::CallbackInfo &) {
  f2i_gram_args args = F2I_INIT(f2i_gram_args);
  Arguments from = arguments();
  args.columns = from.integer(0);
  args.alpha = from.number(1);
  from.operands(args.x, args.y);
  enqueue(f2i_gram, args, from);
}

/// The weights are the operands behind y; the core copies the list.
void Context::linear(const Napi::CallbackInfo &) {
  f2i_linear_args args = F2I_INIT(f2i_linear_args);
  Arguments from = arguments();
  args.activation = from.integer(0);
  args.shards = from.integer(1);
  from.operands(args.x, args.bias, args.residual, args.y);
  f2i_matrix weights[F2I_MAX_SHARDS] = {};
  for (int i = 0; i < args.shards && i < F2I_MAX_SHARDS; ++i) weights[i] = from.operand(4 + i);
  args.w = weights;
  enqueue(f2i_linear, args, from);
}

void Context::pearson_columns(const Napi::CallbackInfo &) {
  f2i_pearson_columns_args args = F2I_INIT(f2i_pearson_columns_args);
  Arguments from = arguments();
  from.operands(args.a, args.b, args.y);
  enqueue(f2i_pearson_columns, args, from);
}

void Context::standardize(const Napi::CallbackInfo &) {
  f2i_standardize_args args = F2I_INIT(f2i_standardize_args);
  Arguments from = arguments();
  from.operands(args.x, args.mean, args.std, args.y);
  enqueue(f2i_standardize, args, from);
}

void Context::top_k(const Napi::CallbackInfo &) {
  f2i_top_k_args args = F2I_INIT(f2i_top_k_args);
  Arguments from = arguments();
  args.smallest = from.integer(0);
  from.operands(args.x, args.values, args.indices);
  enqueue(f2i_top_k, args, from);
}

void Context::triangular_solve(const Napi::CallbackInfo &) {
  f2i_triangular_solve_args args = F2I_INIT(f2i_triangular_solve_args);
  Arguments from = arguments();
  args.transpose = from.integer(0);
  from.operands(args.l, args.b, args.y);
  enqueue(f2i_triangular_solve, args, from);
}

} // namespace f2i::node
