// a + shift I = y y^T, right-looking by blocks: factor the block on the diagonal (the same way,
// with smaller blocks, down to one that stays in L1), solve the panel below against it, subtract
// the panel's product with itself from one triangle of what remains.
#include <algorithm>
#include <cstring>

#include "cpu/drivers.hpp"
#include "cpu/gemm_symmetric.hpp"
#include "cpu/triangular_solve_blocked.hpp"

namespace f2i::cpu {
namespace {

constexpr int64_t outer_step = 240;

template <class T> class Factorisation {
public:
  Factorisation(Exec &ex, T *y, int64_t ldy) : ex_(ex), kernel_(gemm_kernel<T>(ex.isa())), y_(y), ldy_(ldy) {}

  f2i_status run(int64_t n) {
    const int64_t step = std::min(outer_step, kernel_.kc);
    triangle_ = ex_.scratch_of<T>(triangle_size(kernel_, step));
    if (!workspace_.reserve(ex_, kernel_, n, step) || !triangle_) {
      return ex_.fail(F2I_OUT_OF_MEMORY, "no room for the packed operands");
    }
    return factor(0, n, step);
  }

private:
  T *at(int64_t i, int64_t j) const { return y_ + i * ldy_ + j; }

  /// Factors rows and columns [first, first + n) in blocks of `step`.
  f2i_status factor(int64_t first, int64_t n, int64_t step) {
    const int64_t end = first + n;
    for (int64_t j = first; j < end; j += step) {
      const int64_t width = std::min(step, end - j);
      const f2i_status status = width <= kernel_.small ? factor_small(j, width) : factor(j, width, kernel_.small);
      if (status) return status;
      if (j + width == end) break;
      solve_panel(j, width, end - j - width);
      Product<T> update;
      update.m = update.n = end - j - width;
      update.k = width;
      update.a = {at(j + width, j), ldy_, 1};
      update.b = update.a.transposed();
      update.alpha = -1;
      update.y = at(j + width, j + width);
      update.ldy = ldy_;
      update.accumulate = update.lower = true;
      if (const f2i_status failure = product(ex_, kernel_, workspace_, update)) return failure;
    }
    return F2I_OK;
  }

  f2i_status factor_small(int64_t j, int64_t n) {
    T pivot;
    const int64_t index = kernel_.factor(n, at(j, j), ldy_, &pivot);
    if (index == n) return F2I_OK;
    return ex_.fail(F2I_NOT_POSITIVE_DEFINITE,
                    "pivot %lld is %g: the matrix is not positive definite; raise the shift (alpha)",
                    static_cast<long long>(j + index), static_cast<double>(pivot));
  }

  /// x l^T = a for the rows below a factored block: l x^T = a^T on packed, turned strips of rows.
  void solve_panel(int64_t j, int64_t width, int64_t rows) {
    kernel_.pack_triangle(width, at(j, j), ldy_, 1, triangle_);
    const int64_t strip = kernel_.nr * 2;
    for_tasks(ex_, ceil_div(rows, strip), width * width * rows < serial_work, [&](int64_t task, int worker) {
      if (ex_.cancelled()) return;
      const int64_t i = task * strip, height = std::min(strip, rows - i);
      T *packed = workspace_.b + worker * workspace_.b_size;
      T *panel = at(j + width + i, j);
      kernel_.pack_b(width, height, panel, 1, ldy_, packed);
      kernel_.solve(width, height, triangle_, packed);
      kernel_.unpack_b(width, height, packed, panel, 1, ldy_);
    });
  }

  Exec &ex_;
  const GemmKernel<T> &kernel_;
  T *y_;
  int64_t ldy_;
  Workspace<T> workspace_;
  T *triangle_ = nullptr;
};

template <class T> f2i_status cholesky_factor_of(Exec &ex, const CholeskyFactor &op) {
  const int64_t n = op.y.rows, lda = op.a.ld, ldy = op.y.ld;
  const T *a = op.a.as<const T>();
  T *y = op.y.as<T>();
  for_lower_tiles(ex, n, [&](int64_t i, int64_t j, int64_t rows, int64_t cols) {
    for (int64_t r = i; r < i + rows; ++r) {
      const int64_t length = std::min(cols, r - j + 1);
      if (a != y) std::memcpy(y + r * ldy + j, a + r * lda + j, static_cast<size_t>(length) * sizeof(T));
      if (i == j) y[r * ldy + r] += static_cast<T>(op.shift);
    }
  });
  if (const f2i_status status = Factorisation<T>(ex, y, ldy).run(n)) return status;
  for_lower_tiles(ex, n, [&](int64_t i, int64_t j, int64_t rows, int64_t cols) {
    // The mirror image of the tile: rows [j, j + cols), columns from the diagonal on.
    for (int64_t r = j; r < j + cols; ++r) {
      const int64_t from = std::max(i, r + 1);
      if (from < i + rows) std::memset(y + r * ldy + from, 0, static_cast<size_t>(i + rows - from) * sizeof(T));
    }
  });
  return ex.cancelled() ? F2I_CANCELLED : F2I_OK;
}

} // namespace

f2i_status cholesky_factor(Exec &ex, const CholeskyFactor &op) {
  return op.y.dtype == F2I_F64 ? cholesky_factor_of<double>(ex, op) : cholesky_factor_of<float>(ex, op);
}

} // namespace f2i::cpu
