// softmax and layer_norm: a row is read once, kept in registers while its sums
// are made, and written once. A warp has a short row to itself, a block a long
// one; rows beyond what the registers hold are read again, from the cache.
#include "cuda/activate.cuh"
#include "cuda/ops.hpp"
#include "cuda/reduce.cuh"

namespace f2i::cuda {
namespace {

/// `items` entries a thread; 0: any number, read from memory whenever they are needed.
template <class T, int items> class Row {
public:
  __device__ Row(const T *x, int64_t n, int at, int step) : x_(x), n_(n), at_(at), step_(step) {
    if constexpr (items > 0) {
#pragma unroll
      for (int u = 0; u < items; ++u) {
        const int64_t j = at_ + static_cast<int64_t>(u) * step_;
        if (j < n_) kept_[u] = x_[j];
      }
    }
  }
  /// f(j, value) for this thread's entries.
  template <class F> __device__ __forceinline__ void each(F f) const {
    if constexpr (items > 0) {
#pragma unroll
      for (int u = 0; u < items; ++u) {
        const int64_t j = at_ + static_cast<int64_t>(u) * step_;
        if (j < n_) f(j, kept_[u]);
      }
    } else {
      for (int64_t j = at_; j < n_; j += step_) f(j, x_[j]);
    }
  }

private:
  const T *x_;
  int64_t n_;
  int at_, step_;
  T kept_[items > 0 ? items : 1] = {};
};

template <class T> struct Room {
  T of_warp[32];
};

template <class T> struct SoftmaxOf {
  bool log;
  Matrix<const T> x;
  Matrix<T> y;

  template <int items> __device__ void row(int64_t i, int64_t n, int at, int step, Room<T> &room) const {
    const Row<T, items> values(&x(i, 0), n, at, step);
    T most = -infinity<T>();
    values.each([&](int64_t, T value) { most = Max()(most, value); });
    most = reduce_block(most, Max(), room.of_warp, -infinity<T>());
    T sum = 0;
    values.each([&](int64_t, T value) { sum += exponential(value - most); });
    sum = reduce_block(sum, Sum(), room.of_warp, T(0));
    T *const to = &y(i, 0);
    if (log) {
      const T shift = logarithm(sum);
      values.each([&](int64_t j, T value) { to[j] = (value - most) - shift; });
    } else {
      values.each([&](int64_t j, T value) { to[j] = exponential(value - most) / sum; });
    }
  }
};

template <class T> struct NormOf {
  f2i_activation_kind activation;
  bool stable;
  T eps;
  const T *gain, *bias;
  Matrix<const T> x;
  Matrix<T> y;

  template <int items> __device__ void row(int64_t i, int64_t n, int at, int step, Room<T> &room) const {
    const Row<T, items> values(&x(i, 0), n, at, step);
    T most = 1;
    if (stable) {
      most = -infinity<T>();
      values.each([&](int64_t, T value) { most = Max()(most, value); });
      most = reduce_block(most, Max(), room.of_warp, -infinity<T>());
    }
    const bool divide = stable;
    const auto scaled = [=](T value) { return divide ? value / most : value; };
    T sum = 0;
    values.each([&](int64_t, T value) { sum += scaled(value); });
    const T mean = reduce_block(sum, Sum(), room.of_warp, T(0)) / static_cast<T>(n);
    T squares = 0;
    values.each([&](int64_t, T value) {
      const T deviation = scaled(value) - mean;
      squares = fused(deviation, deviation, squares);
    });
    squares = reduce_block(squares, Sum(), room.of_warp, T(0));
    const T inverse = T(1) / root(squares / static_cast<T>(n) + eps);
    T *const to = &y(i, 0);
    values.each([&](int64_t j, T value) {
      T result = (scaled(value) - mean) * inverse;
      if (gain != nullptr) result *= gain[j];
      if (bias != nullptr) result += bias[j];
      to[j] = activate(activation, result);
    });
  }
};

/// In place is safe: a thread writes what it alone has read, after the last read of others' sums.
template <class T, class F, int items> __global__ void __launch_bounds__(256) rows_kernel(F f, int64_t rows, int64_t n) {
  Room<T> &room = shared_memory<Room<T>>();
  for (int64_t i = blockIdx.x; i < rows; i += gridDim.x) {
    f.template row<items>(i, n, static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x), room);
  }
}

template <class T, class F> f2i_status for_rows(Exec &ex, const char *name, const View &x, const F &f) {
  const dim3 grid(static_cast<unsigned>(x.rows < 0x40000000 ? x.rows : 0x40000000));
  const int64_t n = x.cols;
  const auto run = [&](auto kernel, unsigned threads) {
    return launch(ex, name, kernel, grid, dim3(threads), sizeof(Room<T>), f, x.rows, n);
  };
  if (n <= 32 * 8) return run(rows_kernel<T, F, 8>, 32);
  if (n <= 128 * 8) return run(rows_kernel<T, F, 8>, 128);
  if (n <= 256 * 16) return run(rows_kernel<T, F, 16>, 256);
  return run(rows_kernel<T, F, 0>, 256);
}

} // namespace

f2i_status softmax(Exec &ex, const Softmax &op) {
  return with_float(op.x.dtype, [&](auto zero) {
    using T = decltype(zero);
    return for_rows<T>(ex, "softmax", op.x, SoftmaxOf<T>{op.log, input_of<T>(op.x), matrix_of<T>(op.y)});
  });
}

f2i_status layer_norm(Exec &ex, const LayerNorm &op) {
  return with_float(op.x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const NormOf<T> f{op.activation, op.stable, static_cast<T>(op.eps), op.gain.as<const T>(), op.bias.as<const T>(),
                      input_of<T>(op.x), matrix_of<T>(op.y)};
    return for_rows<T>(ex, "layer_norm", op.x, f);
  });
}

} // namespace f2i::cuda
