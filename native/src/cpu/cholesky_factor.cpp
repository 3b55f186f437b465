// a + shift I = y y^T, right-looking by blocks: factor the block on the diagonal (the same way,
// with smaller blocks, down to one that stays in L1), solve the panel below against it, subtract
// the panel's product with itself from the triangle that remains. While the threads subtract, one
// of them already factors the next block on the diagonal, so that nobody waits for it.
#include <algorithm>
#include <cstring>

#include "cpu/drivers.hpp"
#include "cpu/gemm_symmetric.hpp"
#include "cpu/triangular_solve_blocked.hpp"

namespace f2i::cpu {
namespace {

constexpr int64_t block_width = 240; // a multiple of every mr

template <class T> class Factorisation {
public:
  Factorisation(Exec &ex, T *y, int64_t ldy) : ex_(ex), kernel_(gemm_kernel<T>(ex.isa())), y_(y), ldy_(ldy) {}

  bool reserve(int64_t n) {
    return panels_.reserve(ex_, kernel_, n, block_width) &&
           diagonal_.reserve(ex_, kernel_, block_width, kernel_.small);
  }

  f2i_status run(int64_t n) {
    factor_block(0, std::min(block_width, n));
    for (int64_t j = 0; j + block_width < n; j += block_width) {
      if (status_) return status_;
      const int64_t next = j + block_width, below = n - next, next_width = std::min(block_width, below);
      solve_panel(j, block_width, below, panels_, false);
      const std::function<void()> factor_next = [&] {
        Product<T> update = panel_product(j, block_width, next, next_width, next, next_width);
        update.serial = true;
        status_ = product(ex_, kernel_, diagonal_.operands, update);
        if (!status_) factor_block(next, next_width);
      };
      if (below == next_width) {
        factor_next();
        continue;
      }
      Product<T> update = panel_product(j, block_width, next + next_width, below - next_width, next, below);
      update.beside = &factor_next;
      const f2i_status status = product(ex_, kernel_, panels_.operands, update);
      if (status) return status;
    }
    return status_;
  }

private:
  /// What solving and subtracting panels needs.
  struct Memory {
    Workspace<T> operands;
    T *triangle = nullptr;

    bool reserve(Exec &ex, const GemmKernel<T> &kernel, int64_t rows, int64_t width) {
      triangle = ex.scratch_of<T>(triangle_size(kernel, width));
      return operands.reserve(ex, kernel, rows, block_width) && triangle;
    }
  };

  T *at(int64_t i, int64_t j) const { return y_ + i * ldy_ + j; }

  /// Factors a block on the diagonal, on this thread.
  void factor_block(int64_t first, int64_t n) {
    const int64_t end = first + n;
    for (int64_t j = first; j < end; j += kernel_.small) {
      const int64_t width = std::min(kernel_.small, end - j), below = end - j - width;
      T pivot;
      const int64_t index = kernel_.factor(width, at(j, j), ldy_, &pivot);
      if (index < width) {
        status_ = ex_.fail(F2I_NOT_POSITIVE_DEFINITE,
                           "pivot %lld is %g: the matrix is not positive definite; raise the shift (alpha)",
                           static_cast<long long>(j + index), static_cast<double>(pivot));
        return;
      }
      if (below == 0) return;
      solve_panel(j, width, below, diagonal_, true);
      Product<T> update = panel_product(j, width, j + width, below, j + width, below);
      update.serial = true;
      if ((status_ = product(ex_, kernel_, diagonal_.operands, update))) return;
    }
  }

  /// x l^T = a for the rows below a factored block: l x^T = a^T on packed, turned strips of rows.
  void solve_panel(int64_t j, int64_t width, int64_t below, const Memory &memory, bool serial) {
    kernel_.pack_triangle(width, at(j, j), ldy_, 1, memory.triangle);
    const int64_t strip = std::max<int64_t>(kernel_.nr, 64 / kernel_.nr * kernel_.nr);
    for_tasks(ex_, ceil_div(below, strip), serial || width * width * below < serial_work,
              [&](int64_t task, int worker) {
                if (ex_.cancelled()) return;
                const int64_t i = task * strip, rows = std::min(strip, below - i);
                T *packed = memory.operands.b + worker * memory.operands.b_size;
                T *panel = at(j + width + i, j);
                kernel_.pack_b(width, rows, panel, 1, ldy_, packed);
                kernel_.solve(width, rows, memory.triangle, packed);
                kernel_.unpack_b(width, rows, packed, panel, 1, ldy_);
              });
  }

  /// y[row.., col..] -= x[row..] x[col..]^T on and below the diagonal, x the panel of column j.
  Product<T> panel_product(int64_t j, int64_t width, int64_t row, int64_t rows, int64_t col,
                           int64_t cols) const {
    Product<T> update;
    update.m = rows;
    update.n = cols;
    update.k = width;
    update.a = {at(row, j), ldy_, 1};
    update.b = {at(col, j), 1, ldy_};
    update.alpha = -1;
    update.y = at(row, col);
    update.ldy = ldy_;
    update.accumulate = true;
    update.diagonal = row - col;
    return update;
  }

  Exec &ex_;
  const GemmKernel<T> &kernel_;
  T *y_;
  int64_t ldy_;
  Memory panels_, diagonal_; // for the panels below, within blocks on the diagonal
  f2i_status status_ = F2I_OK; // of the blocks on the diagonal
};

template <class T> f2i_status cholesky_factor_of(Exec &ex, const CholeskyFactor &op) {
  const int64_t n = op.y.rows, lda = op.a.ld, ldy = op.y.ld;
  const T *a = op.a.as<const T>();
  T *y = op.y.as<T>();
  if (n == 0) return F2I_OK;
  Factorisation<T> factorisation(ex, y, ldy);
  if (!factorisation.reserve(n)) return ex.fail(F2I_OUT_OF_MEMORY, "no room for the packed panels");

  for_lower_tiles(ex, n, [&](int64_t i, int64_t j, int64_t rows, int64_t cols) {
    for (int64_t r = i; r < i + rows; ++r) {
      const int64_t length = std::min(cols, r - j + 1);
      if (a != y) std::memcpy(y + r * ldy + j, a + r * lda + j, static_cast<size_t>(length) * sizeof(T));
      if (i == j) y[r * ldy + r] += static_cast<T>(op.shift);
    }
  });
  if (const f2i_status status = factorisation.run(n)) return status;
  for_lower_tiles(ex, n, [&](int64_t i, int64_t j, int64_t rows, int64_t cols) {
    // The mirror image of the tile: rows [j, j + cols), columns [i, i + rows) beyond the diagonal.
    for (int64_t r = j; r < j + cols; ++r) {
      const int64_t from = std::max(i, r + 1);
      if (from < i + rows) std::fill(y + r * ldy + from, y + r * ldy + i + rows, T(0));
    }
  });
  return ex.cancelled() ? F2I_CANCELLED : F2I_OK;
}

} // namespace

f2i_status cholesky_factor(Exec &ex, const CholeskyFactor &op) {
  return op.y.dtype == F2I_F64 ? cholesky_factor_of<double>(ex, op) : cholesky_factor_of<float>(ex, op);
}

} // namespace f2i::cpu
