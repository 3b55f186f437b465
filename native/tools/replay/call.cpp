#include "call.hpp"

#include <algorithm>

namespace replay {
namespace {

/// The arguments of a call, taken in the order in which they were written.
class Arguments {
public:
  Arguments(const Script &script, const Call &call, const Buffers &buffers)
      : script_(script), call_(call), buffers_(buffers) {}

  double number() {
    if (scalar_ == call_.scalars.size()) fail("another scalar");
    return call_.scalars[scalar_++];
  }
  int32_t integer() { return static_cast<int32_t>(number()); }
  template <class... Integer> void integers(Integer &...integer) { ((integer = static_cast<Integer>(number())), ...); }

  f2i_matrix matrix() {
    if (operand_ == call_.operands.size()) fail("another operand");
    const Operand &o = call_.operands[operand_++];
    return {buffers_(o.buffer), o.offset, o.rows, o.cols, o.ld, o.dtype, 0};
  }
  template <class... Matrix> void matrices(Matrix &...matrices) { ((matrices = matrix()), ...); }

  const Call::List &list() {
    if (list_ == call_.lists.size()) fail("another list");
    return call_.lists[list_++];
  }
  template <class T> const T *values() { return script_.list<T>(list()); }
  f2i_taps taps() {
    const Call::List &first = list(), &weights = list();
    if (first.count == 0) fail("taps");
    return {static_cast<int32_t>(first.count), static_cast<int32_t>(weights.count / first.count),
            script_.list<int32_t>(first), script_.list<double>(weights)};
  }

  /// Nothing may be left over: a script of another version would be misread.
  void finish() const {
    if (scalar_ != call_.scalars.size() || operand_ != call_.operands.size() || list_ != call_.lists.size())
      fail("fewer arguments");
  }

private:
  [[noreturn]] void fail(const char *expected) const {
    throw ScriptError(call_.op + ": expected " + expected + "; the script is of another version");
  }

  const Script &script_;
  const Call &call_;
  const Buffers &buffers_;
  size_t scalar_ = 0, operand_ = 0, list_ = 0;
};

using Enqueue = f2i_status (*)(f2i_context *, Arguments &);

/// fill(args, from) sets the op's struct up.
template <class Args, f2i_status (*op)(f2i_context *, const Args *), void (*fill)(Args &, Arguments &)>
f2i_status run(f2i_context *context, Arguments &from) {
  Args args = F2I_INIT(Args);
  fill(args, from);
  from.finish();
  return op(context, &args);
}

#define OP(name, ...)                                                                                                  \
  {                                                                                                                    \
    #name, run < f2i_##name##_args, f2i_##name, [](f2i_##name##_args & a, Arguments & from) { __VA_ARGS__; } >         \
  }

struct Entry {
  const char *name;
  Enqueue enqueue;
};

/// As packages/node/src/native/encode.ts packs them.
const Entry entries[] = {
    OP(activation, from.integers(a.kind); from.matrices(a.x, a.y)),
    OP(adaptive_max_pool1d, from.matrices(a.x, a.y)),
    OP(attention, from.integers(a.layout, a.cosine, a.causal, a.shared, a.bias_batch, a.bias_heads, a.batch, a.heads);
       a.scale = from.number();
       from.matrices(a.q, a.k, a.v, a.null_key, a.null_value, a.bias, a.mask, a.y, a.lse)),
    OP(cast, from.matrices(a.x, a.y)),
    OP(cholesky_factor, a.shift = from.number(); from.matrices(a.a, a.y)),
    OP(cholesky_solve, from.matrices(a.l, a.b, a.y)),
    OP(column_stats, from.integers(a.ddof); from.matrices(a.x, a.mean, a.std)),
    OP(conv2d, from.integers(a.activation, a.batch, a.channels, a.height, a.kernel_height, a.kernel_width, a.stride, a.top,
                             a.bottom, a.left, a.right, a.groups);
       from.matrices(a.x, a.w, a.bias, a.residual, a.y)),
    OP(cosine_matrix, from.matrices(a.a, a.b, a.y)),
    OP(eigh, from.matrices(a.a, a.w, a.q)),
    OP(elementwise, from.integers(a.kind); a.scalar = from.number(); from.matrices(a.a, a.b, a.y)),
    OP(gated_activation, from.integers(a.kind); from.matrices(a.x, a.y)),
    OP(gather, a.row_indices = from.values<int32_t>(); a.col_indices = from.values<int32_t>(); from.matrices(a.x, a.y)),
    OP(gemm, from.integers(a.trans_a, a.trans_b, a.shared_b, a.batch); a.alpha = from.number(); a.beta = from.number();
       from.matrices(a.a, a.b, a.c, a.bias, a.y)),
    OP(gram, from.integers(a.columns); a.alpha = from.number(); from.matrices(a.x, a.y)),
    OP(group_norm, from.integers(a.activation, a.channels, a.groups); a.eps = from.number();
       from.matrices(a.x, a.gain, a.bias, a.y)),
    OP(layer_norm, from.integers(a.activation, a.stable); a.eps = from.number(); from.matrices(a.x, a.gain, a.bias, a.y)),
    OP(pearson_columns, from.matrices(a.a, a.b, a.y)),
    OP(random_normal, uint64_t low = 0; uint64_t high = 0; from.integers(low, high, a.offset); a.seed = low | high << 32;
       from.matrices(a.y)),
    OP(relative_position_bias, a.buckets = from.values<int32_t>(); from.matrices(a.table, a.y)),
    OP(resize2d, from.integers(a.height); a.rows = from.taps(); a.columns = from.taps(); from.matrices(a.x, a.y)),
    OP(rotary, from.integers(a.inside); from.matrices(a.x, a.cos, a.sin, a.y)),
    OP(slice, from.integers(a.start); from.matrices(a.x, a.y)),
    OP(softmax, from.integers(a.log); from.matrices(a.x, a.y)),
    OP(standardize, from.matrices(a.x, a.mean, a.std, a.y)),
    OP(top_k, from.integers(a.smallest); from.matrices(a.x, a.values, a.indices)),
    OP(triangular_solve, from.integers(a.transpose); from.matrices(a.l, a.b, a.y)),
    OP(upsample_nearest, from.integers(a.factor); from.matrices(a.x, a.y)),
};

#undef OP

/// The ops with lists of matrices: y first, then the parts.
f2i_status concat(f2i_context *context, Arguments &from) {
  f2i_concat_args args = F2I_INIT(f2i_concat_args);
  f2i_matrix parts[F2I_MAX_PARTS] = {};
  from.integers(args.count);
  from.matrices(args.y);
  for (int i = 0; i < std::min<int>(args.count, F2I_MAX_PARTS); ++i) parts[i] = from.matrix();
  args.x = parts;
  from.finish();
  return f2i_concat(context, &args);
}

f2i_status linear(f2i_context *context, Arguments &from) {
  f2i_linear_args args = F2I_INIT(f2i_linear_args);
  f2i_matrix weights[F2I_MAX_SHARDS] = {};
  from.integers(args.activation, args.shards);
  from.matrices(args.x, args.bias, args.residual, args.y);
  for (int i = 0; i < std::min<int>(args.shards, F2I_MAX_SHARDS); ++i) weights[i] = from.matrix();
  args.w = weights;
  from.finish();
  return f2i_linear(context, &args);
}

f2i_status permute(f2i_context *context, Arguments &from) {
  f2i_permute_args args = F2I_INIT(f2i_permute_args);
  from.integers(args.rank);
  const int rank = std::min<int>(args.rank, F2I_MAX_RANK);
  for (int i = 0; i < rank; ++i) from.integers(args.shape[i]);
  for (int i = 0; i < rank; ++i) from.integers(args.axes[i]);
  from.matrices(args.x, args.y);
  from.finish();
  return f2i_permute(context, &args);
}

} // namespace

std::vector<std::string> known_ops() {
  std::vector<std::string> names = {"concat", "linear", "permute"};
  for (const Entry &entry : entries) names.emplace_back(entry.name);
  return names;
}

f2i_status enqueue(f2i_context *context, const Script &script, const Call &call, const Buffers &buffers) {
  Arguments from(script, call, buffers);
  if (call.op == "concat") return concat(context, from);
  if (call.op == "linear") return linear(context, from);
  if (call.op == "permute") return permute(context, from);
  for (const Entry &entry : entries)
    if (call.op == entry.name) return entry.enqueue(context, from);
  throw ScriptError(call.op + ": no such op");
}

} // namespace replay
