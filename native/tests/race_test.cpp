// Every op once, on several threads, at sizes that make each of them share its
// work: small enough for ThreadSanitizer, which watches every access.
#include <thread>

#include "engine.hpp"

using namespace engine;

namespace {

template <class T> void run_all(f2i_isa isa) {
  const Engine engine(isa, 3);
  const int64_t n = 96, rows = 300, cols = 520;
  const Device<T> tall(engine, Matrix<T>(rows, cols).random(1)), other(engine, Matrix<T>(rows, cols).random(2)),
      out(engine, Matrix<T>(rows, cols)), mean(engine, Matrix<T>(1, cols)), std(engine, Matrix<T>(1, cols)),
      wide(engine, Matrix<T>(rows, rows)), square(engine, Matrix<T>(n, n)), factor(engine, Matrix<T>(n, n)),
      vectors(engine, Matrix<T>(n, n)), values(engine, Matrix<T>(1, n)), right(engine, Matrix<T>(n, cols).random(3)),
      best(engine, Matrix<T>(rows, 5));
  const Device<int32_t> indices(engine, Matrix<int32_t>(rows, 5));

  f2i_gemm_args gemm = F2I_INIT(f2i_gemm_args);
  gemm.trans_b = 1, gemm.alpha = 1, gemm.a = tall, gemm.b = other, gemm.y = wide;
  ok(f2i_gemm(engine, &gemm));
  f2i_gram_args gram = F2I_INIT(f2i_gram_args);
  gram.alpha = 1, gram.x = right, gram.y = square;
  ok(f2i_gram(engine, &gram));
  f2i_cholesky_factor_args cholesky = F2I_INIT(f2i_cholesky_factor_args);
  cholesky.shift = 1, cholesky.a = square, cholesky.y = factor;
  ok(f2i_cholesky_factor(engine, &cholesky));
  f2i_triangular_solve_args triangular = F2I_INIT(f2i_triangular_solve_args);
  triangular.transpose = 1, triangular.l = factor, triangular.b = right, triangular.y = right;
  ok(f2i_triangular_solve(engine, &triangular));
  f2i_cholesky_solve_args solve = F2I_INIT(f2i_cholesky_solve_args);
  solve.l = factor, solve.b = right, solve.y = right;
  ok(f2i_cholesky_solve(engine, &solve));
  f2i_eigh_args eigh = F2I_INIT(f2i_eigh_args);
  eigh.a = square, eigh.w = values, eigh.q = vectors;
  ok(f2i_eigh(engine, &eigh));
  f2i_column_stats_args stats = F2I_INIT(f2i_column_stats_args);
  stats.x = tall, stats.mean = mean, stats.std = std;
  ok(f2i_column_stats(engine, &stats));
  f2i_standardize_args standardize = F2I_INIT(f2i_standardize_args);
  standardize.x = tall, standardize.mean = mean, standardize.std = std, standardize.y = out;
  ok(f2i_standardize(engine, &standardize));
  f2i_pearson_columns_args pearson = F2I_INIT(f2i_pearson_columns_args);
  pearson.a = tall, pearson.b = other, pearson.y = mean;
  ok(f2i_pearson_columns(engine, &pearson));
  f2i_cosine_matrix_args cosine = F2I_INIT(f2i_cosine_matrix_args);
  cosine.a = tall, cosine.b = other, cosine.y = wide;
  ok(f2i_cosine_matrix(engine, &cosine));
  f2i_top_k_args top = F2I_INIT(f2i_top_k_args);
  top.x = tall, top.values = best, top.indices = indices;
  ok(f2i_top_k(engine, &top));
  f2i_elementwise_args elementwise = F2I_INIT(f2i_elementwise_args);
  elementwise.kind = F2I_ADD, elementwise.a = tall, elementwise.b = other, elementwise.y = out;
  ok(f2i_elementwise(engine, &elementwise));
  f2i_gather_args gather = F2I_INIT(f2i_gather_args);
  gather.x = tall, gather.y = out;
  ok(f2i_gather(engine, &gather));
  f2i_cast_args cast = F2I_INIT(f2i_cast_args);
  cast.x = tall, cast.y = out;
  ok(f2i_cast(engine, &cast));
  CHECK_EQUAL(engine.sync().status, F2I_OK);
}

/// The layers of networks; the first value of each result.
template <class T> std::vector<T> run_layers(f2i_isa isa) {
  const Engine engine(isa, 3);
  const int64_t rows = 96, cols = 520, side = 20;
  const Device<T> x(engine, Matrix<T>(rows, cols).random(1)), y(engine, Matrix<T>(rows, cols)),
      half(engine, Matrix<T>(rows, cols / 2)), twice(engine, Matrix<T>(rows, 2 * cols)),
      w(engine, Matrix<T>(cols, cols).random(2)), gain(engine, Matrix<T>(1, cols).random(3)),
      channel_gain(engine, Matrix<T>(1, rows).random(4)), turned(engine, Matrix<T>(rows, cols)),
      pictures(engine, Matrix<T>(16 * side, side).random(5)), kernels(engine, Matrix<T>(24, 16 * 9).random(6)),
      convolved(engine, Matrix<T>(24, side * side)), larger(engine, Matrix<T>(16 * 3 * side, 3 * side)),
      resized(engine, Matrix<T>(16 * 33, 70)), angles(engine, Matrix<T>(rows, 40).random(7)),
      table(engine, Matrix<T>(5, 8).random(8)), biases(engine, Matrix<T>(8, 9000)),
      queries(engine, Matrix<T>(4 * 130, 52).random(9)), seen(engine, Matrix<T>(4 * 130, 52)),
      pooled(engine, Matrix<T>(rows, 700)), noise(engine, Matrix<T>(rows, 900));
  std::vector<T> firsts;
  const auto take = [&](const Device<T> &device) { firsts.push_back(device.download().elements()[0]); };

  const f2i_matrix shards[] = {w};
  f2i_linear_args linear = F2I_INIT(f2i_linear_args);
  linear.activation = F2I_GELU_ERF, linear.shards = 1, linear.w = shards, linear.x = x, linear.bias = gain, linear.y = y;
  ok(f2i_linear(engine, &linear));
  take(y);
  f2i_activation_args activation = F2I_INIT(f2i_activation_args);
  activation.kind = F2I_SILU, activation.x = x, activation.y = y;
  ok(f2i_activation(engine, &activation));
  take(y);
  f2i_gated_activation_args gated = F2I_INIT(f2i_gated_activation_args);
  gated.kind = F2I_SILU, gated.x = x, gated.y = half;
  ok(f2i_gated_activation(engine, &gated));
  take(half);
  f2i_attention_args attention = F2I_INIT(f2i_attention_args);
  attention.batch = 1, attention.heads = 4, attention.scale = 0.1, attention.causal = 1;
  attention.q = attention.k = attention.v = queries, attention.y = seen;
  ok(f2i_attention(engine, &attention));
  take(seen);
  f2i_layer_norm_args layer = F2I_INIT(f2i_layer_norm_args);
  layer.eps = 1e-5, layer.x = x, layer.gain = gain, layer.y = y;
  ok(f2i_layer_norm(engine, &layer));
  take(y);
  f2i_group_norm_args group = F2I_INIT(f2i_group_norm_args);
  group.channels = static_cast<int32_t>(rows), group.groups = 8, group.eps = 1e-5;
  group.x = x, group.gain = channel_gain, group.y = y;
  ok(f2i_group_norm(engine, &group));
  take(y);
  f2i_softmax_args softmax = F2I_INIT(f2i_softmax_args);
  softmax.x = x, softmax.y = y;
  ok(f2i_softmax(engine, &softmax));
  take(y);
  f2i_conv2d_args conv = F2I_INIT(f2i_conv2d_args);
  conv.batch = 1, conv.channels = 16, conv.height = side, conv.kernel_height = conv.kernel_width = 3;
  conv.stride = conv.groups = conv.top = conv.bottom = conv.left = conv.right = 1;
  conv.activation = F2I_RELU, conv.x = pictures, conv.w = kernels, conv.y = convolved;
  ok(f2i_conv2d(engine, &conv));
  take(convolved);
  const f2i_matrix parts[] = {x, x};
  f2i_concat_args concat = F2I_INIT(f2i_concat_args);
  concat.count = 2, concat.x = parts, concat.y = twice;
  ok(f2i_concat(engine, &concat));
  take(twice);
  f2i_slice_args slice = F2I_INIT(f2i_slice_args);
  slice.start = 7, slice.x = twice, slice.y = y;
  ok(f2i_slice(engine, &slice));
  take(y);
  f2i_permute_args permute = F2I_INIT(f2i_permute_args);
  permute.rank = 2, permute.shape[0] = rows, permute.shape[1] = cols, permute.axes[0] = 1;
  permute.x = x, permute.y = turned;
  permute.x.rows = permute.y.rows = 1;
  permute.x.cols = permute.y.cols = permute.x.ld = permute.y.ld = rows * cols;
  ok(f2i_permute(engine, &permute));
  take(turned);
  f2i_rotary_args rotary = F2I_INIT(f2i_rotary_args);
  rotary.inside = 1, rotary.x = x, rotary.cos = rotary.sin = angles, rotary.y = y;
  ok(f2i_rotary(engine, &rotary));
  take(y);
  const std::vector<int32_t> buckets(9000, 3);
  f2i_relative_position_bias_args relative = F2I_INIT(f2i_relative_position_bias_args);
  relative.buckets = buckets.data(), relative.table = table, relative.y = biases;
  ok(f2i_relative_position_bias(engine, &relative));
  take(biases);
  f2i_upsample_nearest_args upsample = F2I_INIT(f2i_upsample_nearest_args);
  upsample.factor = 3, upsample.x = pictures, upsample.y = larger;
  ok(f2i_upsample_nearest(engine, &upsample));
  take(larger);
  const std::vector<int32_t> firsts_of_taps(70, 18);
  const std::vector<double> weights(140, 0.5);
  f2i_resize2d_args resize = F2I_INIT(f2i_resize2d_args);
  resize.height = side, resize.rows = {33, 2, firsts_of_taps.data(), weights.data()};
  resize.columns = {70, 2, firsts_of_taps.data(), weights.data()}, resize.x = pictures, resize.y = resized;
  ok(f2i_resize2d(engine, &resize));
  take(resized);
  f2i_adaptive_max_pool1d_args pool = F2I_INIT(f2i_adaptive_max_pool1d_args);
  pool.x = x, pool.y = pooled;
  ok(f2i_adaptive_max_pool1d(engine, &pool));
  take(pooled);
  f2i_random_normal_args normal = F2I_INIT(f2i_random_normal_args);
  normal.seed = 5, normal.offset = 1, normal.y = noise;
  ok(f2i_random_normal(engine, &normal));
  take(noise);
  CHECK_EQUAL(engine.sync().status, F2I_OK);
  return firsts;
}

} // namespace

TEST(ops_share_their_work_without_races) {
  for (const f2i_isa isa : {f2i_isa{F2I_ISA_PORTABLE}, f2i_best_isa()}) {
    run_all<float>(isa);
    run_all<double>(isa);
    run_layers<double>(isa);
  }
}

/// Contexts share nothing: what one computes does not depend on others beside it.
TEST(contexts_do_not_meet) {
  for (const f2i_isa isa : {f2i_isa{F2I_ISA_PORTABLE}, f2i_best_isa()}) {
    const std::vector<float> alone = run_layers<float>(isa);
    std::vector<float> results[3];
    std::vector<std::thread> threads;
    for (auto &result : results) threads.emplace_back([&result, isa] { result = run_layers<float>(isa); });
    for (std::thread &thread : threads) thread.join();
    for (const auto &result : results) {
      CHECK(result.size() == alone.size() && std::memcmp(result.data(), alone.data(), alone.size() * sizeof(float)) == 0);
    }
  }
}

CHECK_MAIN();
