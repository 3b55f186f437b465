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
  listen_to(from.token());
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

void Context::adaptive_max_pool1d(const Napi::CallbackInfo &) {
  f2i_adaptive_max_pool1d_args args = F2I_INIT(f2i_adaptive_max_pool1d_args);
  Arguments from = arguments();
  from.operands(args.x, args.y);
  enqueue(f2i_adaptive_max_pool1d, args, from);
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

void Context::concat(const Napi::CallbackInfo &) {
  f2i_concat_args args = F2I_INIT(f2i_concat_args);
  Arguments from = arguments();
  args.count = from.integer(0);
  from.operands(args.y);
  f2i_matrix parts[F2I_MAX_PARTS] = {};
  for (int i = 0; i < args.count && i < F2I_MAX_PARTS; ++i) parts[i] = from.operand(1 + i);
  args.x = parts;
  enqueue(f2i_concat, args, from);
}

void Context::conv2d(const Napi::CallbackInfo &) {
  f2i_conv2d_args args = F2I_INIT(f2i_conv2d_args);
  Arguments from = arguments();
  args.activation = from.integer(0);
  args.batch = from.integer(1);
  args.channels = from.integer(2);
  args.height = from.integer(3);
  args.kernel_height = from.integer(4);
  args.kernel_width = from.integer(5);
  args.stride = from.integer(6);
  args.top = from.integer(7);
  args.bottom = from.integer(8);
  args.left = from.integer(9);
  args.right = from.integer(10);
  args.groups = from.integer(11);
  from.operands(args.x, args.w, args.bias, args.residual, args.y);
  enqueue(f2i_conv2d, args, from);
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
  args.shared_b = from.integer(2);
  args.batch = static_cast<int64_t>(from.number(3));
  args.alpha = from.number(4);
  args.beta = from.number(5);
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

void Context::group_norm(const Napi::CallbackInfo &) {
  f2i_group_norm_args args = F2I_INIT(f2i_group_norm_args);
  Arguments from = arguments();
  args.activation = from.integer(0);
  args.channels = from.integer(1);
  args.groups = from.integer(2);
  args.eps = from.number(3);
  from.operands(args.x, args.gain, args.bias, args.y);
  enqueue(f2i_group_norm, args, from);
}

void Context::layer_norm(const Napi::CallbackInfo &) {
  f2i_layer_norm_args args = F2I_INIT(f2i_layer_norm_args);
  Arguments from = arguments();
  args.activation = from.integer(0);
  args.stable = from.integer(1);
  args.eps = from.number(2);
  from.operands(args.x, args.gain, args.bias, args.y);
  enqueue(f2i_layer_norm, args, from);
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

void Context::permute(const Napi::CallbackInfo &) {
  f2i_permute_args args = F2I_INIT(f2i_permute_args);
  Arguments from = arguments();
  args.rank = from.integer(0);
  for (int i = 0; i < args.rank && i < F2I_MAX_RANK; ++i) {
    args.shape[i] = static_cast<int64_t>(from.number(1 + i));
    args.axes[i] = from.integer(1 + args.rank + i);
  }
  from.operands(args.x, args.y);
  enqueue(f2i_permute, args, from);
}

/// The words of the seed are unsigned integers of 32 bits, the offset one of 53.
void Context::random_normal(const Napi::CallbackInfo &) {
  f2i_random_normal_args args = F2I_INIT(f2i_random_normal_args);
  Arguments from = arguments();
  args.seed = static_cast<uint64_t>(from.number(0)) | static_cast<uint64_t>(from.number(1)) << 32;
  args.offset = static_cast<uint64_t>(from.number(2));
  from.operands(args.y);
  enqueue(f2i_random_normal, args, from);
}

void Context::relative_position_bias(const Napi::CallbackInfo &info) {
  f2i_relative_position_bias_args args = F2I_INIT(f2i_relative_position_bias_args);
  Arguments from = arguments();
  args.buckets = info[0].As<Napi::Int32Array>().Data();
  from.operands(args.table, args.y);
  enqueue(f2i_relative_position_bias, args, from);
}

/// resize2d(first rows, weights of rows, first columns, weights of columns): the core copies the lists.
void Context::resize2d(const Napi::CallbackInfo &info) {
  const auto taps = [](const Napi::Value &first, const Napi::Value &weights) -> f2i_taps {
    const auto positions = first.As<Napi::Int32Array>();
    const auto values = weights.As<Napi::Float64Array>();
    const size_t outputs = positions.ElementLength();
    return {static_cast<int32_t>(outputs), static_cast<int32_t>(values.ElementLength() / outputs), positions.Data(),
            values.Data()};
  };
  f2i_resize2d_args args = F2I_INIT(f2i_resize2d_args);
  Arguments from = arguments();
  args.height = from.integer(0);
  args.rows = taps(info[0], info[1]);
  args.columns = taps(info[2], info[3]);
  from.operands(args.x, args.y);
  enqueue(f2i_resize2d, args, from);
}

void Context::rotary(const Napi::CallbackInfo &) {
  f2i_rotary_args args = F2I_INIT(f2i_rotary_args);
  Arguments from = arguments();
  args.inside = static_cast<int64_t>(from.number(0));
  from.operands(args.x, args.cos, args.sin, args.y);
  enqueue(f2i_rotary, args, from);
}

void Context::slice(const Napi::CallbackInfo &) {
  f2i_slice_args args = F2I_INIT(f2i_slice_args);
  Arguments from = arguments();
  args.start = static_cast<int64_t>(from.number(0));
  from.operands(args.x, args.y);
  enqueue(f2i_slice, args, from);
}

void Context::softmax(const Napi::CallbackInfo &) {
  f2i_softmax_args args = F2I_INIT(f2i_softmax_args);
  Arguments from = arguments();
  args.log = from.integer(0);
  from.operands(args.x, args.y);
  enqueue(f2i_softmax, args, from);
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

void Context::upsample_nearest(const Napi::CallbackInfo &) {
  f2i_upsample_nearest_args args = F2I_INIT(f2i_upsample_nearest_args);
  Arguments from = arguments();
  args.factor = from.integer(0);
  from.operands(args.x, args.y);
  enqueue(f2i_upsample_nearest, args, from);
}

} // namespace f2i::node
