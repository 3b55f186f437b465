// Elementwise arithmetic with broadcasting of b over rows, columns or both.
#include "elementwise.hpp"

#include <cmath>

#include "drivers.hpp"
#include "select.hpp"
#include "tiles.hpp"

namespace f2i::cpu {
namespace {

template <class T> T scalar_as(double x) { return static_cast<T>(x); }
/// Truncates and saturates as cast does.
template <> int32_t scalar_as<int32_t>(double x) {
  if (std::isnan(x)) return 0;
  return static_cast<int32_t>(std::clamp(x, -2147483648.0, 2147483647.0));
}

template <class T, class Row> f2i_status run(Exec &ex, const Elementwise &op, Row row) {
  const View &a = op.a, &b = op.b, &y = op.y;
  const bool unary = op.kind >= F2I_NEG;
  const bool has_b = b && !unary;
  const bool by_row = has_b && b.rows == a.rows, by_col = has_b && b.cols == a.cols;
  int64_t rows = a.rows, cols = a.cols, lda = a.ld, ldb = b.ld, ldy = y.ld;
  // Nothing between the rows and no broadcast: one long row, however narrow the matrix is.
  if (contiguous(a) && contiguous(y) && (!has_b || (by_row && by_col && contiguous(b)))) {
    cols *= rows;
    rows = 1;
  }
  const T constant = scalar_as<T>(op.scalar);
  return for_tiles(ex, rows, cols, [&](int64_t r, int64_t end, int64_t c, int64_t c_end) {
    for (; r < end; ++r) {
      const T *b_row = has_b ? b.as<T>() + (by_row ? r * ldb : 0) : nullptr;
      const T *values = by_col ? b_row + c : nullptr;
      const T scalar = has_b && !by_col ? *b_row : constant;
      row(op.kind, a.as<T>() + r * lda + c, values, scalar, c_end - c, y.as<T>() + r * ldy + c);
    }
  });
}

} // namespace

f2i_status elementwise(Exec &ex, const Elementwise &op) {
  const ElementwiseKernels &kernels = F2I_SELECT(elementwise, ex.isa());
  switch (op.a.dtype) {
  case F2I_F64: return run<double>(ex, op, kernels.row_f64);
  case F2I_I32: return run<int32_t>(ex, op, kernels.row_i32);
  default: return run<float>(ex, op, kernels.row_f32);
  }
}

} // namespace f2i::cpu
