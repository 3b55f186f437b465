// The ops. How arguments are unpacked mirrors src/native/encode.ts: scalars and
// operands in the order in which they were packed there.
#include <algorithm>

#include "context.hpp"
#include "errors.hpp"

namespace f2i::node {

namespace {

void unpack(f2i_activation_args &args, Arguments &from) { from.scalars(args.kind).operands(args.x, args.y); }

void unpack(f2i_adaptive_max_pool1d_args &args, Arguments &from) { from.operands(args.x, args.y); }

void unpack(f2i_attention_args &args, Arguments &from) {
  from.scalars(args.layout, args.cosine, args.causal, args.shared, args.bias_batch, args.bias_heads, args.batch,
               args.heads, args.scale)
      .operands(args.q, args.k, args.v, args.null_key, args.null_value, args.bias, args.mask, args.y, args.lse);
}

void unpack(f2i_cast_args &args, Arguments &from) { from.operands(args.x, args.y); }

void unpack(f2i_cholesky_factor_args &args, Arguments &from) { from.scalars(args.shift).operands(args.a, args.y); }

void unpack(f2i_cholesky_solve_args &args, Arguments &from) { from.operands(args.l, args.b, args.y); }

void unpack(f2i_column_stats_args &args, Arguments &from) {
  from.scalars(args.ddof).operands(args.x, args.mean, args.std);
}

void unpack(f2i_concat_args &args, Arguments &from) {
  from.scalars(args.count).operands(args.y);
  args.x = from.list(1, args.count);
}

void unpack(f2i_conv2d_args &args, Arguments &from) {
  from.scalars(args.activation, args.batch, args.channels, args.height, args.kernel_height, args.kernel_width,
               args.stride, args.top, args.bottom, args.left, args.right, args.groups)
      .operands(args.x, args.w, args.bias, args.residual, args.y);
}

void unpack(f2i_cosine_matrix_args &args, Arguments &from) { from.operands(args.a, args.b, args.y); }

void unpack(f2i_eigh_args &args, Arguments &from) { from.operands(args.a, args.w, args.q); }

void unpack(f2i_elementwise_args &args, Arguments &from) {
  from.scalars(args.kind, args.scalar).operands(args.a, args.b, args.y);
}

void unpack(f2i_gated_activation_args &args, Arguments &from) { from.scalars(args.kind).operands(args.x, args.y); }

/// gather(rows?: Int32Array, cols?: Int32Array): the core copies the lists.
void unpack(f2i_gather_args &args, Arguments &from, const Napi::CallbackInfo &info) {
  const auto list = [](const Napi::Value &value) -> const int32_t * {
    if (value.IsUndefined()) return nullptr;
    // An empty array may have no memory, but it is still a list.
    static constexpr int32_t none = 0;
    const auto array = value.As<Napi::Int32Array>();
    return array.ElementLength() > 0 ? array.Data() : &none;
  };
  args.row_indices = list(info[0]);
  args.col_indices = list(info[1]);
  from.operands(args.x, args.y);
}

void unpack(f2i_gemm_args &args, Arguments &from) {
  from.scalars(args.trans_a, args.trans_b, args.shared_b, args.batch, args.alpha, args.beta)
      .operands(args.a, args.b, args.c, args.bias, args.y);
}

void unpack(f2i_gram_args &args, Arguments &from) { from.scalars(args.columns, args.alpha).operands(args.x, args.y); }

void unpack(f2i_group_norm_args &args, Arguments &from) {
  from.scalars(args.activation, args.channels, args.groups, args.eps).operands(args.x, args.gain, args.bias, args.y);
}

void unpack(f2i_layer_norm_args &args, Arguments &from) {
  from.scalars(args.activation, args.stable, args.eps).operands(args.x, args.gain, args.bias, args.y);
}

/// The weights are the operands behind y.
void unpack(f2i_linear_args &args, Arguments &from) {
  from.scalars(args.activation, args.shards).operands(args.x, args.bias, args.residual, args.y);
  args.w = from.list(4, args.shards);
}

void unpack(f2i_pearson_columns_args &args, Arguments &from) { from.operands(args.a, args.b, args.y); }

void unpack(f2i_permute_args &args, Arguments &from) {
  from.scalars(args.rank);
  const int rank = std::min<int>(args.rank, F2I_MAX_RANK);
  for (int i = 0; i < rank; ++i) from.scalars(args.shape[i]);
  for (int i = 0; i < rank; ++i) from.scalars(args.axes[i]);
  from.operands(args.x, args.y);
}

/// The words of the seed are unsigned integers of 32 bits, the offset one of 53.
void unpack(f2i_random_normal_args &args, Arguments &from) {
  uint64_t low = 0, high = 0;
  from.scalars(low, high, args.offset).operands(args.y);
  args.seed = low | high << 32;
}

/// relativePositionBias(buckets: Int32Array): the core copies the list.
void unpack(f2i_relative_position_bias_args &args, Arguments &from, const Napi::CallbackInfo &info) {
  args.buckets = info[0].As<Napi::Int32Array>().Data();
  from.operands(args.table, args.y);
}

/// resize2d(first rows, weights of rows, first columns, weights of columns): the core copies the lists.
void unpack(f2i_resize2d_args &args, Arguments &from, const Napi::CallbackInfo &info) {
  const auto taps = [](const Napi::Value &first, const Napi::Value &weights) -> f2i_taps {
    const auto positions = first.As<Napi::Int32Array>();
    const auto values = weights.As<Napi::Float64Array>();
    const size_t outputs = positions.ElementLength();
    return {static_cast<int32_t>(outputs), static_cast<int32_t>(values.ElementLength() / outputs), positions.Data(),
            values.Data()};
  };
  args.rows = taps(info[0], info[1]);
  args.columns = taps(info[2], info[3]);
  from.scalars(args.height).operands(args.x, args.y);
}

void unpack(f2i_rotary_args &args, Arguments &from) {
  from.scalars(args.inside).operands(args.x, args.cos, args.sin, args.y);
}

void unpack(f2i_slice_args &args, Arguments &from) { from.scalars(args.start).operands(args.x, args.y); }

void unpack(f2i_softmax_args &args, Arguments &from) { from.scalars(args.log).operands(args.x, args.y); }

void unpack(f2i_standardize_args &args, Arguments &from) { from.operands(args.x, args.mean, args.std, args.y); }

void unpack(f2i_top_k_args &args, Arguments &from) {
  from.scalars(args.smallest).operands(args.x, args.values, args.indices);
}

void unpack(f2i_triangular_solve_args &args, Arguments &from) {
  from.scalars(args.transpose).operands(args.l, args.b, args.y);
}

void unpack(f2i_upsample_nearest_args &args, Arguments &from) { from.scalars(args.factor).operands(args.x, args.y); }

template <class Args> Args arguments_of(f2i_status (*)(f2i_context *, const Args *));

} // namespace

template <auto op> void Context::enqueue(const Napi::CallbackInfo &info) {
  using Args = decltype(arguments_of(op));
  Args args = F2I_INIT(Args);
  Arguments from(arguments_, buffers_);
  if constexpr (requires { unpack(args, from, info); }) {
    unpack(args, from, info);
  } else {
    unpack(args, from);
  }
  f2i_context *context = open();
  if (from.stale_operand() >= 0) {
    const std::string text = "operand " + std::to_string(from.stale_operand()) + " has been freed";
    throw error_of(Env(), F2I_INVALID_ARGUMENT, text.c_str());
  }
  listen_to(from.token());
  check(f2i_context_set_tag(context, from.tag()));
  check(op(context, &args));
}

std::vector<Context::PropertyDescriptor> Context::ops() {
  return {
      InstanceMethod<&Context::enqueue<f2i_activation>>("activation"),
      InstanceMethod<&Context::enqueue<f2i_adaptive_max_pool1d>>("adaptiveMaxPool1d"),
      InstanceMethod<&Context::enqueue<f2i_attention>>("attention"),
      InstanceMethod<&Context::enqueue<f2i_cast>>("cast"),
      InstanceMethod<&Context::enqueue<f2i_cholesky_factor>>("choleskyFactor"),
      InstanceMethod<&Context::enqueue<f2i_cholesky_solve>>("choleskySolve"),
      InstanceMethod<&Context::enqueue<f2i_column_stats>>("columnStats"),
      InstanceMethod<&Context::enqueue<f2i_concat>>("concat"),
      InstanceMethod<&Context::enqueue<f2i_conv2d>>("conv2d"),
      InstanceMethod<&Context::enqueue<f2i_cosine_matrix>>("cosineMatrix"),
      InstanceMethod<&Context::enqueue<f2i_eigh>>("eigh"),
      InstanceMethod<&Context::enqueue<f2i_elementwise>>("elementwise"),
      InstanceMethod<&Context::enqueue<f2i_gated_activation>>("gatedActivation"),
      InstanceMethod<&Context::enqueue<f2i_gather>>("gather"),
      InstanceMethod<&Context::enqueue<f2i_gemm>>("gemm"),
      InstanceMethod<&Context::enqueue<f2i_gram>>("gram"),
      InstanceMethod<&Context::enqueue<f2i_group_norm>>("groupNorm"),
      InstanceMethod<&Context::enqueue<f2i_layer_norm>>("layerNorm"),
      InstanceMethod<&Context::enqueue<f2i_linear>>("linear"),
      InstanceMethod<&Context::enqueue<f2i_pearson_columns>>("pearsonColumns"),
      InstanceMethod<&Context::enqueue<f2i_permute>>("permute"),
      InstanceMethod<&Context::enqueue<f2i_random_normal>>("randomNormal"),
      InstanceMethod<&Context::enqueue<f2i_relative_position_bias>>("relativePositionBias"),
      InstanceMethod<&Context::enqueue<f2i_resize2d>>("resize2d"),
      InstanceMethod<&Context::enqueue<f2i_rotary>>("rotary"),
      InstanceMethod<&Context::enqueue<f2i_slice>>("slice"),
      InstanceMethod<&Context::enqueue<f2i_softmax>>("softmax"),
      InstanceMethod<&Context::enqueue<f2i_standardize>>("standardize"),
      InstanceMethod<&Context::enqueue<f2i_top_k>>("topK"),
      InstanceMethod<&Context::enqueue<f2i_triangular_solve>>("triangularSolve"),
      InstanceMethod<&Context::enqueue<f2i_upsample_nearest>>("upsampleNearest"),
  };
}

} // namespace f2i::node
