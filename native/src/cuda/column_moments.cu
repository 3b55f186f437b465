// column_stats and pearson_columns: sums of chunks of rows in f64, shifted by the
// chunk's first row, joined in order by the rule of Chan, Golub and LeVeque
// (1983, "Algorithms for computing the sample variance", equations 2.1). A chunk
// is short enough that the shift bounds the cancellation (at most 6 bits), and a
// constant column gives exactly 0.
#include "cuda/number.cuh"
#include "cuda/ops.hpp"

namespace f2i::cuda {
namespace {

constexpr int lanes = 32, groups = 8;     // columns and rows that a block works on at once
constexpr int64_t block_rows = 64;        // summed from one shift
constexpr int64_t group_rows = 512;       // of one thread
constexpr int64_t chunk_rows = group_rows * groups;

/// Mean and squared deviations of some rows of a column.
struct Moments {
  double count = 0, mean = 0, squares = 0;
  __device__ __forceinline__ void join(const Moments &other) {
    if (other.count == 0) return;
    const double all = count + other.count, share = other.count / all, delta = other.mean - mean;
    squares += other.squares + delta * delta * count * share;
    mean += delta * share;
    count = all;
  }
};
/// Of two columns.
struct CoMoments {
  double count = 0, mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
  __device__ __forceinline__ void join(const CoMoments &other) {
    if (other.count == 0) return;
    const double all = count + other.count, share = other.count / all, weight = count * share;
    const double a = other.mean_a - mean_a, b = other.mean_b - mean_b;
    aa += other.aa + a * a * weight;
    bb += other.bb + b * b * weight;
    ab += other.ab + a * b * weight;
    mean_a += a * share;
    mean_b += b * share;
    count = all;
  }
};

template <class T> struct OneColumn {
  using Result = Moments;
  Matrix<const T> x;
  __device__ Moments sum(int64_t first, int64_t end, int64_t j) const {
    const double shift = static_cast<double>(x(first, j));
    double sums = 0, squares = 0;
#pragma unroll 4
    for (int64_t i = first; i < end; ++i) {
      const double d = static_cast<double>(x(i, j)) - shift;
      sums += d;
      squares = fma(d, d, squares);
    }
    const double count = static_cast<double>(end - first), offset = sums / count, rest = squares - sums * offset;
    return {count, shift + offset, rest < 0 ? 0 : rest};
  }
};
template <class T> struct TwoColumns {
  using Result = CoMoments;
  Matrix<const T> a, b;
  __device__ CoMoments sum(int64_t first, int64_t end, int64_t j) const {
    const double shift_a = static_cast<double>(a(first, j)), shift_b = static_cast<double>(b(first, j));
    double sum_a = 0, sum_b = 0, aa = 0, bb = 0, ab = 0;
#pragma unroll 4
    for (int64_t i = first; i < end; ++i) {
      const double da = static_cast<double>(a(i, j)) - shift_a, db = static_cast<double>(b(i, j)) - shift_b;
      sum_a += da;
      sum_b += db;
      aa = fma(da, da, aa);
      bb = fma(db, db, bb);
      ab = fma(da, db, ab);
    }
    const double count = static_cast<double>(end - first), mean_a = sum_a / count, mean_b = sum_b / count;
    const double rest_a = aa - sum_a * mean_a, rest_b = bb - sum_b * mean_b;
    return {count, shift_a + mean_a, shift_b + mean_b, rest_a < 0 ? 0 : rest_a, rest_b < 0 ? 0 : rest_b, ab - sum_a * mean_b};
  }
};

template <class M> struct Shared {
  M of[groups][lanes];
};

/// parts[chunk, column]: the moments of a chunk of rows.
template <class Source>
__global__ void __launch_bounds__(lanes *groups)
    chunk_kernel(Source source, int64_t rows, int64_t cols, typename Source::Result *parts) {
  using M = typename Source::Result;
  Shared<M> &shared = shared_memory<Shared<M>>();
  const int lane = static_cast<int>(threadIdx.x) % lanes, group = static_cast<int>(threadIdx.x) / lanes;
  const int64_t j = static_cast<int64_t>(blockIdx.x) * lanes + lane;
  const int64_t chunk = blockIdx.y, begin = chunk * chunk_rows + group * group_rows;
  const int64_t end = begin + group_rows < rows ? begin + group_rows : rows;
  M own;
  if (j < cols) {
    for (int64_t i = begin; i < end; i += block_rows) own.join(source.sum(i, i + block_rows < end ? i + block_rows : end, j));
  }
  shared.of[group][lane] = own;
  __syncthreads();
  if (group == 0 && j < cols) {
    for (int g = 1; g < groups; ++g) own.join(shared.of[g][lane]);
    parts[chunk * cols + j] = own;
  }
}

template <class T> struct Statistics {
  Matrix<const T> x;
  int64_t rows;
  double divisor;
  T *mean, *std; // null: not asked for
  __device__ void finish(int64_t j, const Moments &total) const {
    const bool finite = is_finite(total.mean);
    if (mean != nullptr) {
      double value = total.mean;
      if (!finite) { // infinities have a mean although their deviations from it have none
        value = 0;
        for (int64_t i = 0; i < rows; ++i) value += static_cast<double>(x(i, j));
        value /= static_cast<double>(rows);
      }
      mean[j] = static_cast<T>(value);
    }
    if (std != nullptr) std[j] = finite ? static_cast<T>(sqrt(total.squares / divisor)) : not_a_number<T>();
  }
};
template <class T> struct Correlation {
  T *y;
  __device__ void finish(int64_t j, const CoMoments &total) const {
    double r = 0;
    if (!(total.aa == 0 || total.bb == 0)) r = total.ab / (sqrt(total.aa) * sqrt(total.bb));
    y[j] = static_cast<T>(r > 1 ? 1 : r < -1 ? -1 : r); // NaN stays
  }
};

template <class M, class Finish>
__global__ void __launch_bounds__(128) join_kernel(Finish finish, const M *parts, int64_t chunks, int64_t cols) {
  const int64_t j = static_cast<int64_t>(blockIdx.x) * 128 + threadIdx.x;
  if (j >= cols) return;
  M total = parts[j];
  for (int64_t chunk = 1; chunk < chunks; ++chunk) total.join(parts[chunk * cols + j]);
  finish.finish(j, total);
}

template <class Source, class Finish>
f2i_status run(Exec &ex, const char *name, const Source &source, const Finish &finish, int64_t rows, int64_t cols) {
  using M = typename Source::Result;
  const int64_t chunks = ceil_div(rows, chunk_rows);
  if (chunks > 65535) return ex.fail(F2I_UNSUPPORTED, "%lld rows, more than a grid has", static_cast<long long>(rows));
  M *const parts = ex.scratch_of<M>(chunks * cols);
  if (parts == nullptr) {
    return ex.fail(F2I_OUT_OF_MEMORY, "no room for the sums of %lld columns", static_cast<long long>(cols));
  }
  F2I_TRY(launch(ex, name, chunk_kernel<Source>,
                 dim3(static_cast<unsigned>(ceil_div(cols, lanes)), static_cast<unsigned>(chunks)), dim3(lanes * groups),
                 sizeof(Shared<M>), source, rows, cols, parts));
  return launch(ex, name, join_kernel<M, Finish>, dim3(static_cast<unsigned>(ceil_div(cols, 128))), dim3(128), 0, finish,
                parts, chunks, cols);
}

} // namespace

f2i_status column_stats(Exec &ex, const ColumnStats &op) {
  return with_float(op.x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Statistics<T> finish{input_of<T>(op.x), op.x.rows, static_cast<double>(op.x.rows - op.ddof), op.mean.as<T>(),
                               op.std.as<T>()};
    return run(ex, "column_stats", OneColumn<T>{input_of<T>(op.x)}, finish, op.x.rows, op.x.cols);
  });
}

f2i_status pearson_columns(Exec &ex, const PearsonColumns &op) {
  return with_float(op.a.dtype, [&](auto zero) {
    using T = decltype(zero);
    return run(ex, "pearson_columns", TwoColumns<T>{input_of<T>(op.a), input_of<T>(op.b)}, Correlation<T>{op.y.as<T>()},
               op.a.rows, op.a.cols);
  });
}

} // namespace f2i::cuda
