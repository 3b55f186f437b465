// Hostile arguments: structs of every op with some of their fields replaced by zero, negative, huge and random
// numbers are refused or run, and nothing else happens. Under the sanitizers no access leaves its buffer and no
// sum of extents overflows.
#include "engine.hpp"

using namespace engine;

namespace {

/// Of every buffer. The caller's own lists are as long as any matrix in one of them can ask for.
constexpr uint64_t bytes = 1024;

/// What of a struct may not change: pointers, and lengths of the lists that they point to.
struct Span {
  const void *start;
  size_t size;
};

class Fuzz {
public:
  Fuzz() {
    for (f2i_buffer *&buffer : buffers) {
      buffer = engine.create(bytes);
      std::vector<float> values(bytes / sizeof(float), 0.25f);
      ok(f2i_buffer_write(engine, buffer, 0, values.data(), bytes));
    }
  }

  f2i_matrix at(int buffer, int64_t rows, int64_t cols, f2i_dtype dtype = F2I_F32) const {
    return {buffers[buffer], 0, rows, cols, cols, dtype, 0};
  }

  /// `matrices` are those of the valid struct, `fixed` is what else of it may not change.
  template <class Args>
  void run(const char *name, f2i_status (*op)(f2i_context *, const Args *), const Args &valid,
           const std::vector<const f2i_matrix *> &matrices, const std::vector<Span> &fixed = {}) {
    const auto *const base = reinterpret_cast<const char *>(&valid);
    const auto offset_of = [&](const void *field) { return static_cast<size_t>(static_cast<const char *>(field) - base); };
    std::vector<std::pair<size_t, size_t>> kept; // [offset, end) of what may not change
    std::vector<size_t> places;
    for (const Span &span : fixed) kept.emplace_back(offset_of(span.start), offset_of(span.start) + span.size);
    for (const f2i_matrix *matrix : matrices) places.push_back(offset_of(matrix));
    check::report(op(engine, &valid) == F2I_OK, __FILE__, __LINE__, std::string(name) + ": " + f2i_last_error(engine));
    int accepted = 0;
    for (int round = 0; round < 2000; ++round) {
      Args args = valid;
      for (int change = static_cast<int>(random_() % 3); change >= 0; --change) mutate(args, places, kept);
      const f2i_status status = op(engine, &args);
      const bool known = status == F2I_OK || status == F2I_INVALID_ARGUMENT || status == F2I_UNSUPPORTED;
      check::report(known, __FILE__, __LINE__, std::string(name) + ": " + f2i_status_name(status));
      if (status == F2I_OK) {
        ++accepted;
        const f2i_status ended = f2i_sync(engine, nullptr);
        const bool data = ended == F2I_OK || ended == F2I_NOT_POSITIVE_DEFINITE || ended == F2I_NO_CONVERGENCE;
        check::report(data, __FILE__, __LINE__, std::string(name) + " ended in " + f2i_status_name(ended));
      } else {
        check::report(std::strncmp(f2i_last_error(engine), name, std::strlen(name)) == 0, __FILE__, __LINE__,
                      std::string(name) + ": unnamed: " + f2i_last_error(engine));
      }
    }
    CHECK(accepted > 0); // changes of one value alone often do no harm
  }

  const Engine engine{F2I_ISA_AUTO, 2};
  f2i_buffer *buffers[6];

private:
  template <class Args>
  void mutate(Args &args, const std::vector<size_t> &places, const std::vector<std::pair<size_t, size_t>> &kept) {
    char *const base = reinterpret_cast<char *>(&args);
    if (random_() % 2 == 0) { // a field of a matrix
      f2i_matrix matrix;
      char *const where = base + places[random_() % places.size()];
      std::memcpy(&matrix, where, sizeof matrix);
      switch (random_() % 7) {
      case 0: matrix.buffer = random_() % 3 == 0 ? nullptr : buffers[random_() % 6]; break;
      case 1: matrix.offset = static_cast<uint64_t>(number()); break;
      case 2: matrix.rows = number(); break;
      case 3: matrix.cols = number(); break;
      case 4: matrix.ld = number(); break;
      case 5: matrix.dtype = static_cast<f2i_dtype>(random_() % 8) - 1; break;
      default: matrix.rows = number(), matrix.cols = 0; break; // not bounded by a buffer
      }
      std::memcpy(where, &matrix, sizeof matrix);
      return;
    }
    for (int attempt = 0; attempt < 200; ++attempt) {
      const size_t size = random_() % 2 == 0 ? 4 : 8, offset = random_() % sizeof(Args) / size * size;
      if (offset < sizeof(uint32_t) || offset + size > sizeof(Args)) continue; // struct_size stays
      const auto in_matrix = [&](size_t place) { return offset < place + sizeof(f2i_matrix) && place < offset + size; };
      if (std::any_of(places.begin(), places.end(), in_matrix)) continue;
      const auto meets = [&](const auto &span) { return offset < span.second && span.first < offset + size; };
      if (std::any_of(kept.begin(), kept.end(), meets)) continue;
      const int64_t value = number();
      const auto half = static_cast<int32_t>(value);
      std::memcpy(base + offset, size == 8 ? static_cast<const void *>(&value) : &half, size);
      return;
    }
  }

  int64_t number() {
    static constexpr int64_t numbers[] = {
        0, 1, -1, 2, 3, 4, 7, 8, 16, 17, 64, 255, INT32_MAX, INT32_MIN, INT64_C(1) << 31, INT64_C(1) << 32,
        (INT64_C(1) << 32) + 1, (INT64_C(1) << 61) + 1, INT64_C(1) << 62, INT64_MAX, INT64_MIN,
        0x3ff0000000000000, 0x7ff0000000000000, -0x8000000000000}; // 1, infinity and NaN as doubles
    return numbers[random_() % (sizeof numbers / sizeof *numbers)];
  }

  std::mt19937_64 random_{2026};
};

} // namespace

TEST(matrix_ops) {
  Fuzz f;
  f2i_gemm_args gemm = F2I_INIT(f2i_gemm_args);
  gemm.alpha = 1, gemm.a = f.at(0, 4, 5), gemm.b = f.at(1, 5, 6), gemm.y = f.at(2, 4, 6);
  f.run("gemm", f2i_gemm, gemm, {&gemm.a, &gemm.b, &gemm.c, &gemm.bias, &gemm.y});
  f2i_gram_args gram = F2I_INIT(f2i_gram_args);
  gram.alpha = 1, gram.x = f.at(0, 4, 6), gram.y = f.at(1, 4, 4);
  f.run("gram", f2i_gram, gram, {&gram.x, &gram.y});
  f2i_cholesky_factor_args factor = F2I_INIT(f2i_cholesky_factor_args);
  factor.shift = 4, factor.a = f.at(0, 6, 6), factor.y = f.at(1, 6, 6);
  f.run("cholesky_factor", f2i_cholesky_factor, factor, {&factor.a, &factor.y});
  f2i_cholesky_solve_args solve = F2I_INIT(f2i_cholesky_solve_args);
  solve.l = f.at(0, 6, 6), solve.b = f.at(1, 6, 3), solve.y = f.at(2, 6, 3);
  f.run("cholesky_solve", f2i_cholesky_solve, solve, {&solve.l, &solve.b, &solve.y});
  f2i_triangular_solve_args triangular = F2I_INIT(f2i_triangular_solve_args);
  triangular.l = f.at(0, 6, 6), triangular.b = f.at(1, 6, 3), triangular.y = f.at(2, 6, 3);
  f.run("triangular_solve", f2i_triangular_solve, triangular, {&triangular.l, &triangular.b, &triangular.y});
  f2i_eigh_args eigh = F2I_INIT(f2i_eigh_args);
  eigh.a = f.at(0, 6, 6), eigh.w = f.at(1, 1, 6), eigh.q = f.at(2, 6, 6);
  f.run("eigh", f2i_eigh, eigh, {&eigh.a, &eigh.w, &eigh.q});
  f2i_column_stats_args stats = F2I_INIT(f2i_column_stats_args);
  stats.x = f.at(0, 8, 6), stats.mean = f.at(1, 1, 6), stats.std = f.at(2, 1, 6);
  f.run("column_stats", f2i_column_stats, stats, {&stats.x, &stats.mean, &stats.std});
  f2i_standardize_args standardize = F2I_INIT(f2i_standardize_args);
  standardize.x = f.at(0, 8, 6), standardize.mean = f.at(1, 1, 6), standardize.y = f.at(2, 8, 6);
  f.run("standardize", f2i_standardize, standardize,
        {&standardize.x, &standardize.mean, &standardize.std, &standardize.y});
  f2i_pearson_columns_args pearson = F2I_INIT(f2i_pearson_columns_args);
  pearson.a = f.at(0, 8, 6), pearson.b = f.at(1, 8, 6), pearson.y = f.at(2, 1, 6);
  f.run("pearson_columns", f2i_pearson_columns, pearson, {&pearson.a, &pearson.b, &pearson.y});
  f2i_cosine_matrix_args cosine = F2I_INIT(f2i_cosine_matrix_args);
  cosine.a = f.at(0, 4, 8), cosine.b = f.at(1, 6, 8), cosine.y = f.at(2, 4, 6);
  f.run("cosine_matrix", f2i_cosine_matrix, cosine, {&cosine.a, &cosine.b, &cosine.y});
  f2i_top_k_args top = F2I_INIT(f2i_top_k_args);
  top.x = f.at(0, 4, 16), top.values = f.at(1, 4, 3), top.indices = f.at(2, 4, 3, F2I_I32);
  f.run("top_k", f2i_top_k, top, {&top.x, &top.values, &top.indices});
  f2i_elementwise_args element = F2I_INIT(f2i_elementwise_args);
  element.a = f.at(0, 4, 16), element.b = f.at(1, 1, 16), element.y = f.at(2, 4, 16);
  f.run("elementwise", f2i_elementwise, element, {&element.a, &element.b, &element.y});
  f2i_gather_args gather = F2I_INIT(f2i_gather_args);
  const std::vector<int32_t> indices(bytes, 1);
  gather.row_indices = indices.data(), gather.x = f.at(0, 4, 16), gather.y = f.at(1, 4, 16);
  f.run("gather", f2i_gather, gather, {&gather.x, &gather.y}, {{&gather.row_indices, 16}});
  f2i_cast_args cast = F2I_INIT(f2i_cast_args);
  cast.x = f.at(0, 4, 16), cast.y = f.at(1, 4, 16, F2I_F16);
  f.run("cast", f2i_cast, cast, {&cast.x, &cast.y});
}

TEST(ops_of_networks) {
  Fuzz f;
  const std::vector<f2i_matrix> parts(F2I_MAX_PARTS, f.at(4, 3, 4));
  f2i_linear_args linear = F2I_INIT(f2i_linear_args);
  linear.shards = 2, linear.w = parts.data(), linear.x = f.at(0, 5, 4), linear.bias = f.at(1, 1, 6), linear.y = f.at(2, 5, 6);
  f.run("linear", f2i_linear, linear, {&linear.x, &linear.bias, &linear.residual, &linear.y}, {{&linear.w, 8}});
  f2i_activation_args activation = F2I_INIT(f2i_activation_args);
  activation.kind = F2I_SILU, activation.x = f.at(0, 4, 16), activation.y = f.at(1, 4, 16);
  f.run("activation", f2i_activation, activation, {&activation.x, &activation.y});
  f2i_gated_activation_args gated = F2I_INIT(f2i_gated_activation_args);
  gated.kind = F2I_SILU, gated.x = f.at(0, 4, 16), gated.y = f.at(1, 4, 8);
  f.run("gated_activation", f2i_gated_activation, gated, {&gated.x, &gated.y});
  f2i_attention_args attention = F2I_INIT(f2i_attention_args);
  attention.batch = 2, attention.heads = 2, attention.scale = 1;
  attention.q = f.at(0, 12, 5), attention.k = f.at(1, 16, 5), attention.v = f.at(2, 16, 6), attention.y = f.at(3, 12, 6);
  attention.mask = f.at(4, 2, 4, F2I_U8), attention.lse = f.at(5, 4, 3);
  f.run("attention", f2i_attention, attention,
        {&attention.q, &attention.k, &attention.v, &attention.null_key, &attention.null_value, &attention.bias,
         &attention.mask, &attention.y, &attention.lse});
  f2i_layer_norm_args layer = F2I_INIT(f2i_layer_norm_args);
  layer.eps = 1e-5, layer.x = f.at(0, 4, 16), layer.gain = f.at(1, 1, 16), layer.y = f.at(2, 4, 16);
  f.run("layer_norm", f2i_layer_norm, layer, {&layer.x, &layer.gain, &layer.bias, &layer.y});
  f2i_group_norm_args group = F2I_INIT(f2i_group_norm_args);
  group.channels = 4, group.groups = 2, group.eps = 1e-5, group.x = f.at(0, 8, 16), group.gain = f.at(1, 1, 4), group.y = f.at(2, 8, 16);
  f.run("group_norm", f2i_group_norm, group, {&group.x, &group.gain, &group.bias, &group.y});
  f2i_softmax_args softmax = F2I_INIT(f2i_softmax_args);
  softmax.x = f.at(0, 4, 16), softmax.y = f.at(1, 4, 16);
  f.run("softmax", f2i_softmax, softmax, {&softmax.x, &softmax.y});
  f2i_conv2d_args conv = F2I_INIT(f2i_conv2d_args);
  conv.batch = 1, conv.channels = 2, conv.height = 6, conv.kernel_height = conv.kernel_width = 3, conv.stride = conv.groups = 1;
  conv.x = f.at(0, 12, 5), conv.w = f.at(1, 3, 18), conv.y = f.at(2, 3, 12);
  f.run("conv2d", f2i_conv2d, conv, {&conv.x, &conv.w, &conv.bias, &conv.residual, &conv.y});
  f2i_concat_args concat = F2I_INIT(f2i_concat_args);
  concat.count = 2, concat.x = parts.data(), concat.y = f.at(1, 3, 8);
  f.run("concat", f2i_concat, concat, {&concat.y}, {{&concat.x, 8}});
  f2i_slice_args slice = F2I_INIT(f2i_slice_args);
  slice.start = 3, slice.x = f.at(0, 4, 16), slice.y = f.at(1, 4, 8);
  f.run("slice", f2i_slice, slice, {&slice.x, &slice.y});
  f2i_permute_args permute = F2I_INIT(f2i_permute_args);
  permute.rank = 3, permute.axes[0] = 2, permute.axes[2] = 1;
  permute.shape[0] = 3, permute.shape[1] = 4, permute.shape[2] = 5;
  permute.x = f.at(0, 1, 60), permute.y = f.at(1, 1, 60);
  f.run("permute", f2i_permute, permute, {&permute.x, &permute.y});
  f2i_rotary_args rotary = F2I_INIT(f2i_rotary_args);
  rotary.inside = 2, rotary.x = f.at(0, 12, 8), rotary.cos = f.at(1, 3, 4), rotary.sin = f.at(2, 3, 4), rotary.y = f.at(3, 12, 8);
  f.run("rotary", f2i_rotary, rotary, {&rotary.x, &rotary.cos, &rotary.sin, &rotary.y});
  const std::vector<int32_t> buckets(bytes, 1);
  f2i_relative_position_bias_args relative = F2I_INIT(f2i_relative_position_bias_args);
  relative.buckets = buckets.data(), relative.table = f.at(0, 5, 3), relative.y = f.at(1, 3, 20);
  f.run("relative_position_bias", f2i_relative_position_bias, relative,
        {&relative.table, &relative.y}, {{&relative.buckets, 8}});
  f2i_upsample_nearest_args upsample = F2I_INIT(f2i_upsample_nearest_args);
  upsample.factor = 2, upsample.x = f.at(0, 4, 5), upsample.y = f.at(1, 8, 10);
  f.run("upsample_nearest", f2i_upsample_nearest, upsample, {&upsample.x, &upsample.y});
  const std::vector<int32_t> first(8, 1);
  const std::vector<double> weights(16, 0.5);
  f2i_resize2d_args resize = F2I_INIT(f2i_resize2d_args);
  resize.height = 4, resize.rows = {6, 2, first.data(), weights.data()}, resize.columns = {8, 2, first.data(), weights.data()};
  resize.x = f.at(0, 8, 5), resize.y = f.at(1, 12, 8);
  f.run("resize2d", f2i_resize2d, resize, {&resize.x, &resize.y}, {{&resize.rows, 2 * sizeof(f2i_taps)}});
  f2i_adaptive_max_pool1d_args pool = F2I_INIT(f2i_adaptive_max_pool1d_args);
  pool.x = f.at(0, 4, 16), pool.y = f.at(1, 4, 7);
  f.run("adaptive_max_pool1d", f2i_adaptive_max_pool1d, pool, {&pool.x, &pool.y});
  f2i_random_normal_args normal = F2I_INIT(f2i_random_normal_args);
  normal.y = f.at(0, 4, 16);
  f.run("random_normal", f2i_random_normal, normal, {&normal.y});
}

CHECK_MAIN();
