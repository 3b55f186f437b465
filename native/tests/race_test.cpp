// Every op once, on several threads, at sizes that make each of them share its
// work: small enough for ThreadSanitizer, which watches every access.
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

} // namespace

TEST(ops_share_their_work_without_races) {
  for (const f2i_isa isa : {f2i_isa{F2I_ISA_PORTABLE}, f2i_best_isa()}) {
    run_all<float>(isa);
    run_all<double>(isa);
  }
}

CHECK_MAIN();
