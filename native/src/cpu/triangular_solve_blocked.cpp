// The rows are cut into blocks. The block on the diagonal is solved strip by strip of right-hand
// sides, packed, with the substitution in registers; what it contributes to the rows below is one
// product. l^T y = b becomes a forward substitution by reading rows and columns in reversed order.
#include "cpu/triangular_solve_blocked.hpp"

#include <algorithm>
#include <cstring>

#include "cpu/tiles.hpp"

namespace f2i::cpu {

template <class T> bool TriangularSolver<T>::reserve() {
  // With few right-hand sides the products run at the speed of memory, the block on the diagonal
  // does not: keep it small.
  const int64_t most = t_ <= kernel_.thin ? 96 : kernel_.kc;
  const int64_t blocks = std::max<int64_t>(1, ceil_div(n_, most));
  step_ = std::min(kernel_.kc, round_up(ceil_div(n_, blocks), kernel_.mr));
  triangle_ = ex_.scratch_of<T>(triangle_size(kernel_, step_));
  return workspace_.reserve(ex_, kernel_, n_, t_ <= kernel_.thin ? n_ : step_) && triangle_;
}

template <class T>
f2i_status TriangularSolver<T>::solve(const T *l, int64_t ldl, bool transpose, T *y, int64_t ldy) {
  if (n_ == 0 || t_ == 0) return F2I_OK;
  const int64_t blocks = ceil_div(n_, step_);
  const bool thin = t_ <= kernel_.thin; // then l is read along its rows: all that is left of a block
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t i = (transpose ? blocks - 1 - block : block) * step_;
    const int64_t end = std::min(n_, i + step_), rows = end - i;
    Product<T> update;
    update.n = t_;
    update.k = rows;
    update.b = {y + i * ldy, ldy, 1};
    update.alpha = -1;
    update.ldy = ldy;
    update.accumulate = true;
    if (transpose) {
      // Rows and columns in reversed order turn l^T into a lower triangle.
      solve_block({l + (end - 1) * (ldl + 1), -1, -ldl}, rows, y + (end - 1) * ldy, -ldy);
      update.m = i;
      update.a = {l + i * ldl, 1, ldl};
      update.y = y;
    } else if (thin) {
      update.m = rows;
      update.k = i;
      update.a = {l + i * ldl, ldl, 1};
      update.b = {y, ldy, 1};
      update.y = y + i * ldy;
    } else {
      solve_block({l + i * (ldl + 1), ldl, 1}, rows, y + i * ldy, ldy);
      update.m = n_ - end;
      update.a = {l + end * ldl + i, ldl, 1};
      update.y = y + end * ldy;
    }
    if (update.k > 0) {
      if (const f2i_status status = product(ex_, kernel_, workspace_, update)) return status;
    }
    if (thin && !transpose) solve_block({l + i * (ldl + 1), ldl, 1}, rows, y + i * ldy, ldy);
  }
  return ex_.cancelled() ? F2I_CANCELLED : F2I_OK;
}

template <class T>
void TriangularSolver<T>::solve_block(const Strided<T> &l, int64_t rows, T *y, int64_t ldy) {
  const int64_t tasks = ex_.pool().threads() == 1 ? 1 : 4 * ex_.pool().threads();
  const int64_t strip = std::clamp(round_up(ceil_div(t_, tasks), kernel_.nr), kernel_.nr, kernel_.nc);
  kernel_.pack_triangle(rows, l.data, l.row, l.col, triangle_);
  for_tasks(ex_, ceil_div(t_, strip), rows * rows * t_ < serial_work, [&](int64_t task, int worker) {
    if (ex_.cancelled()) return;
    const int64_t j = task * strip, cols = std::min(strip, t_ - j);
    T *packed = workspace_.b + worker * workspace_.b_size;
    kernel_.pack_b(rows, cols, y + j, ldy, 1, packed);
    kernel_.solve(rows, cols, triangle_, packed);
    kernel_.unpack_b(rows, cols, packed, y + j, ldy, 1);
  });
}

void copy_right_hand_sides(Exec &ex, const View &b, const View &y) {
  if (b.data == y.data) return;
  const int64_t size = element_size(y.dtype);
  for_tiles(ex, y.rows, y.cols, [&](int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
    for (int64_t r = r0; r < r1; ++r) {
      std::memcpy(y.as<char>() + (r * y.ld + c0) * size, b.as<const char>() + (r * b.ld + c0) * size,
                  static_cast<size_t>((c1 - c0) * size));
    }
  });
}

template class TriangularSolver<float>;
template class TriangularSolver<double>;

} // namespace f2i::cpu
