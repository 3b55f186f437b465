// a = q diag(w) q^T: reduction to tridiagonal form, divide and conquer, back-transformation (see
// eigh_parts.hpp).
#include <algorithm>
#include <cmath>
#include <limits>

#include "drivers.hpp"
#include "eigh_parts.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

template <class T> class Solver {
public:
  Solver(Exec &ex, const Eigh &op) : ex_(ex), op_(op), n_(op.a.rows), kernel_(eigh_kernel<T>(ex.isa())) {}

  f2i_status run() {
    if (n_ == 0) return F2I_OK;
    double largest = 0;
    f2i_status status = find_largest(largest);
    if (status != F2I_OK) return status;
    if (!reserve())
      return ex_.fail(F2I_OUT_OF_MEMORY, "no room for the workspace of a %lld x %lld matrix",
                      static_cast<long long>(n_), static_cast<long long>(n_));

    // Scaled by a power of two, which is exact, to a largest element in [1/2, 1): no square overflows.
    int exponent = 0;
    std::frexp(largest, &exponent);
    exponent = std::clamp(exponent, -1000, 1000);
    const double scale = std::ldexp(1.0, -exponent);
    status = for_tiles(ex_, n_, n_, [&](int64_t r, int64_t end, int64_t c, int64_t c_end) {
      for (; r < end; ++r) {
        const int64_t stop = std::min(c_end, r + 1);
        if (stop > c) kernel_.scale(stop - c, scale, source(r) + c, t_.a + r * t_.lda + c);
        std::fill(x_.x + r * x_.ldx + c, x_.x + r * x_.ldx + c_end, T(0));
      }
    });
    if (status == F2I_OK) status = tridiagonalize(ex_, workspace_, t_);
    if (status == F2I_OK) status = divide_and_conquer(ex_, workspace_, t_, x_);
    if (status == F2I_OK) status = reflect(ex_, workspace_, t_, x_.x, x_.ldx);
    if (status == F2I_OK) status = finish(1 / scale);
    return status;
  }

private:
  const T *source(int64_t r) const { return op_.a.as<T>() + r * op_.a.ld; }

  /// The largest magnitude; F2I_NO_CONVERGENCE where an element is not finite.
  f2i_status find_largest(double &largest) {
    for (int64_t r = 0; r < n_; ++r) {
      if (ex_.cancelled()) return F2I_CANCELLED;
      T row = 0;
      bool finite = true;
      const T *a = source(r);
      for (int64_t c = 0; c <= r; ++c) {
        const T magnitude = std::fabs(a[c]);
        row = magnitude > row ? magnitude : row;
        finite &= magnitude <= std::numeric_limits<T>::max();
      }
      if (!finite) {
        const int64_t c = std::find_if(a, a + r, [](T v) { return !std::isfinite(v); }) - a;
        return ex_.fail(F2I_NO_CONVERGENCE, "a[%lld, %lld] is %g, expected a finite number",
                        static_cast<long long>(r), static_cast<long long>(c), static_cast<double>(a[c]));
      }
      largest = std::max(largest, static_cast<double>(row));
    }
    return F2I_OK;
  }

  bool reserve() {
    t_.n = n_;
    t_.lda = round_up(n_, 64 / static_cast<int64_t>(sizeof(T)));
    if (t_.lda * static_cast<int64_t>(sizeof(T)) % 4096 == 0) t_.lda += 64 / static_cast<int64_t>(sizeof(T));
    t_.a = ex_.scratch_of<T>(n_ * t_.lda);
    t_.tau = ex_.scratch_of<T>(n_);
    t_.d = ex_.scratch_of<double>(n_);
    t_.e = ex_.scratch_of<double>(n_);
    x_.w = ex_.scratch_of<double>(n_);
    x_.order = ex_.scratch_of<int32_t>(n_);
    x_.x = op_.q.as<T>();
    x_.ldx = op_.q.ld;
    x_.secular = ex_.scratch_of<T>(n_ * n_);
    x_.packed = ex_.scratch_of<T>(n_ * n_);
    return t_.a && t_.tau && t_.d && t_.e && x_.w && x_.order && x_.secular && x_.packed &&
           reserve_for(workspace_, ex_, gemm_kernel<T>(ex_.isa()), n_);
  }

  /// Eigenvalues in order, eigenvectors from rows to columns with their largest element positive.
  f2i_status finish(double unscale) {
    for (int64_t i = 0; i < n_; ++i) op_.w.as<T>()[i] = static_cast<T>(x_.w[x_.order[i]] * unscale);
    constexpr int64_t some = 16;
    T *ordered = x_.packed;
    ex_.pool().parallel_for(ceil_div(n_, some), [&](int64_t task, int) {
      for (int64_t i = task * some; i < std::min(n_, (task + 1) * some); ++i) {
        const T *x = x_.x + x_.order[i] * x_.ldx;
        T largest = 0, sign = 1;
        for (int64_t j = 0; j < n_; ++j)
          if (std::fabs(x[j]) > largest) {
            largest = std::fabs(x[j]);
            sign = x[j] < 0 ? T(-1) : T(1);
          }
        kernel_.scale(n_, static_cast<double>(sign), x, ordered + i * n_);
      }
    });
    const GemmKernel<T> &gemm = gemm_kernel<T>(ex_.isa());
    constexpr int64_t side = 128;
    const int64_t tiles = ceil_div(n_, side);
    ex_.pool().parallel_for(tiles * tiles, [&](int64_t task, int) {
      const int64_t i = task / tiles * side, j = task % tiles * side;
      gemm.transpose(std::min(side, n_ - i), std::min(side, n_ - j), ordered + i * n_ + j, n_,
                     op_.q.as<T>() + j * op_.q.ld + i, op_.q.ld);
    });
    return ex_.cancelled() ? F2I_CANCELLED : F2I_OK;
  }

  Exec &ex_;
  const Eigh &op_;
  const int64_t n_;
  const EighKernel<T> &kernel_;
  Tridiagonal<T> t_;
  TridiagonalSolution<T> x_;
  Workspace<T> workspace_;
};

} // namespace

f2i_status eigh(Exec &ex, const Eigh &op) {
  return op.a.dtype == F2I_F64 ? Solver<double>(ex, op).run() : Solver<float>(ex, op).run();
}

} // namespace f2i::cpu
