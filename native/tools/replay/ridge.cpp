#include "ridge.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>

#include "measure.hpp"
#include "player.hpp"
#include "rows.hpp"

namespace replay {
namespace {

/// Of the diagonal of x x^T, whose entries are near the number of voxels.
constexpr double penalty = 0.1;
/// Rows of y that are on their way at a time: some hundred megabytes.
constexpr int64_t block_bytes = int64_t{256} << 20;

/// A buffer for as long as what is enqueued needs it, seen as a matrix.
class Buffer {
public:
  Buffer(f2i_context *context, int64_t rows, int64_t cols, f2i_dtype dtype)
      : matrix{nullptr, 0, rows, cols, cols, dtype, 0}, context_(context) {
    ok(f2i_buffer_create(context, bytes(), &matrix.buffer));
  }
  /// The caller's memory, which stays as it is until the next wait.
  Buffer(f2i_context *context, int64_t rows, int64_t cols, const float *data)
      : matrix{nullptr, 0, rows, cols, cols, F2I_F32, 0}, context_(context) {
    ok(f2i_buffer_adopt(context, const_cast<float *>(data), bytes(), nullptr, nullptr, &matrix.buffer));
  }
  ~Buffer() { f2i_buffer_destroy(context_, matrix.buffer); }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;

  uint64_t bytes() const { return static_cast<uint64_t>(matrix.rows * matrix.cols) * element_bytes(matrix.dtype); }
  void read(void *to) const { ok(f2i_buffer_read(context_, matrix.buffer, 0, to, bytes())); }
  f2i_matrix matrix;

private:
  f2i_context *const context_;
};

void multiply(f2i_context *context, const f2i_matrix &a, bool trans_a, const f2i_matrix &b, bool trans_b, const f2i_matrix &y, bool add) {
  f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
  args.trans_a = trans_a, args.trans_b = trans_b, args.alpha = 1, args.beta = add ? 1 : 0;
  args.a = a, args.b = b, args.y = y;
  if (add) args.c = y;
  ok(f2i_gemm(context, &args));
}

/// hat [tests, trials] with predictions = hat y, from x and x_test of one type. Its transpose is solved for.
void hat_matrix(f2i_context *context, const f2i_matrix &x, const f2i_matrix &x_test, const Buffer &hat_transposed) {
  const int64_t n = x.rows;
  const Buffer kernel(context, n, n, x.dtype), right(context, n, x_test.rows, x.dtype);
  f2i_gram_args gram = F2I_INIT(f2i_gram_args);
  gram.alpha = 1, gram.x = x, gram.y = kernel.matrix;
  ok(f2i_gram(context, &gram));
  f2i_cholesky_factor_args factor = F2I_INIT(f2i_cholesky_factor_args);
  factor.shift = penalty * static_cast<double>(x.cols), factor.a = factor.y = kernel.matrix;
  ok(f2i_cholesky_factor(context, &factor));
  multiply(context, x, false, x_test, true, right.matrix, false);
  f2i_cholesky_solve_args solve = F2I_INIT(f2i_cholesky_solve_args);
  solve.l = kernel.matrix, solve.b = right.matrix, solve.y = hat_transposed.matrix;
  ok(f2i_cholesky_solve(context, &solve));
}

struct Data {
  std::vector<float> x, x_test, y;
};

/// Random normals, drawn by all cores of the processor.
std::vector<float> normals(f2i_context *processor, int64_t rows, int64_t cols, uint64_t seed) {
  std::vector<float> data(static_cast<size_t>(rows * cols));
  const int64_t step = std::max<int64_t>(1, block_bytes / 4 / cols);
  for (int64_t first = 0; first < rows; first += step) {
    const int64_t count = std::min(step, rows - first);
    const Buffer block(processor, count, cols, F2I_F32);
    f2i_random_normal_args args = F2I_INIT(f2i_random_normal_args);
    args.seed = seed, args.offset = static_cast<uint64_t>(first * cols), args.y = block.matrix;
    ok(f2i_random_normal(processor, &args));
    block.read(data.data() + first * cols);
    ok(f2i_sync(processor, nullptr));
  }
  return data;
}

/// From host memory to host memory: rows of y follow each other to the device, and what each adds to the
/// predictions is summed there.
void predict(f2i_context *context, const RidgeSize &size, const Data &data, std::vector<float> &predictions) {
  const Buffer x(context, size.trials, size.voxels, data.x.data()), x_test(context, size.tests, size.voxels, data.x_test.data());
  const Buffer hat(context, size.trials, size.tests, F2I_F32), sums(context, size.tests, size.targets, F2I_F32);
  hat_matrix(context, x.matrix, x_test.matrix, hat);
  const int64_t step = std::clamp<int64_t>(block_bytes / 4 / size.targets, 1, size.trials);
  for (int64_t first = 0; first < size.trials; first += step) {
    const int64_t count = std::min(step, size.trials - first);
    const Buffer y(context, count, size.targets, data.y.data() + first * size.targets);
    f2i_matrix part = hat.matrix;
    part.offset = static_cast<uint64_t>(first * size.tests) * sizeof(float), part.rows = count;
    multiply(context, part, true, y.matrix, false, sums.matrix, first > 0);
    ok(f2i_wait_room(context, static_cast<uint64_t>(block_bytes)));
  }
  sums.read(predictions.data());
  ok(f2i_sync(context, nullptr));
}

/// The largest error of the predictions of some targets over the largest of them, in double on the processor.
double sampled_error(f2i_context *processor, const RidgeSize &size, const Data &data, const std::vector<float> &predictions) {
  const Buffer x(processor, size.trials, size.voxels, F2I_F64), x_test(processor, size.tests, size.voxels, F2I_F64);
  const auto widen = [processor](const Buffer &to, const std::vector<float> &from) {
    const Buffer narrow(processor, to.matrix.rows, to.matrix.cols, from.data());
    f2i_cast_args cast = F2I_INIT(f2i_cast_args);
    cast.x = narrow.matrix, cast.y = to.matrix;
    ok(f2i_cast(processor, &cast));
  };
  widen(x, data.x), widen(x_test, data.x_test);
  const Buffer hat(processor, size.trials, size.tests, F2I_F64);
  hat_matrix(processor, x.matrix, x_test.matrix, hat);
  std::vector<double> weights(static_cast<size_t>(size.trials * size.tests));
  hat.read(weights.data());
  ok(f2i_sync(processor, nullptr));
  std::mt19937_64 random(1);
  double worst = 0, largest = 0;
  for (int sample = 0; sample < 16; ++sample) {
    const auto target = static_cast<int64_t>(random() % static_cast<uint64_t>(size.targets));
    std::vector<double> expected(static_cast<size_t>(size.tests));
    for (int64_t i = 0; i < size.trials; ++i) {
      const double value = static_cast<double>(data.y[static_cast<size_t>(i * size.targets + target)]);
      for (int64_t j = 0; j < size.tests; ++j) expected[static_cast<size_t>(j)] += weights[static_cast<size_t>(i * size.tests + j)] * value;
    }
    for (int64_t j = 0; j < size.tests; ++j) {
      const double wanted = expected[static_cast<size_t>(j)], found = static_cast<double>(predictions[static_cast<size_t>(j * size.targets + target)]);
      const double error = std::abs(found - wanted);
      worst = error <= worst ? worst : std::isnan(error) ? INFINITY : error;
      largest = std::max(largest, std::abs(wanted));
    }
  }
  return worst / largest;
}

} // namespace

int bench_ridge(const DeviceOptions &device, const RidgeSize &size, const BenchOptions &options) {
  DeviceOptions cores;
  cores.threads = device.on_gpu() ? 0 : device.threads;
  const Context processor = open(cores);
  std::fprintf(stderr, "ridge: drawing %.1f GB\n", 4e-9 * static_cast<double>(size.trials) * static_cast<double>(size.voxels + size.targets));
  const Data data = {normals(processor.get(), size.trials, size.voxels, 1), normals(processor.get(), size.tests, size.voxels, 2),
                     normals(processor.get(), size.trials, size.targets, 3)};
  std::vector<float> predictions(static_cast<size_t>(size.tests * size.targets));
  const Context context = open(device);
  std::vector<double> seconds;
  for (int i = 0; i < 1 + std::max(1, options.samples); ++i) {
    const auto start = Clock::now();
    predict(context.get(), size, data, predictions);
    if (i > 0) seconds.push_back(since(start)); // the first one warms up
  }
  const Timing timing(std::move(seconds));
  const double error = sampled_error(processor.get(), size, data, predictions);
  const double n = static_cast<double>(size.trials), v = static_cast<double>(size.voxels), t = static_cast<double>(size.targets),
               m = static_cast<double>(size.tests);
  // Backward stable solves of a matrix whose condition is about (1 + sqrt(n / v))^2 / penalty, and sums of n terms.
  const double allowed = std::ldexp(1, -23) * (64 / penalty + std::sqrt(n));
  const bool passed = error <= allowed;
  const double flops = n * (n + 1) * v + n * n * n / 3 + 2 * n * m * v + 2 * n * n * m + 2 * n * m * t;
  const double bytes = 4 * (n * v + m * v + n * t + m * t);
  Json::Object row = {{"op", "ridge_streamed"},
                      {"shape", Json::Object{{"n", n}, {"v", v}, {"t", t}}},
                      {"dtype", "f32"},
                      {"precision", "f32"},
                      {"impl", "ours"},
                      {"version", f2i_version()},
                      {"backend", device.device},
                      {"cold", timing.json()},
                      {"warm", timing.json()},
                      {"error", error},
                      {"errorOverTolerance", error / allowed},
                      {"oracle", "f64 on the processor, 16 targets"},
                      {"passed", passed},
                      {"about", "predictions of " + std::to_string(size.tests) + " trials, from host memory to host memory"}};
  Rows rows(device, options);
  Rows::rate(row, options.limits.empty() ? Limits() : Limits(options.limits), "f32", flops, bytes, timing, passed);
  rows.write(std::move(row));
  return passed ? 0 : 1;
}

} // namespace replay
