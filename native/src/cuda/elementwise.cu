// Arithmetic of a matrix with another one, a row, a column or a number.
#include "cuda/number.cuh"
#include "cuda/ops.hpp"
#include "cuda/tiles.cuh"

namespace f2i::cuda {
namespace {

/// Integers wrap around.
template <class T, int kind> __device__ __forceinline__ T apply(T a, T b) {
  using U = std::conditional_t<std::is_integral_v<T>, uint32_t, T>;
  const U x = static_cast<U>(a), y = static_cast<U>(b);
  if constexpr (kind == F2I_ADD) return static_cast<T>(x + y);
  else if constexpr (kind == F2I_SUB) return static_cast<T>(x - y);
  else if constexpr (kind == F2I_MUL) return static_cast<T>(x * y);
  else if constexpr (kind == F2I_DIV) return std::is_integral_v<T> ? a : a / b; // integers are refused before
  else if constexpr (kind == F2I_MAX) return a > b || a != a ? a : b; // a NaN of either wins
  else if constexpr (kind == F2I_MIN) return a < b || a != a ? a : b;
  else if constexpr (kind == F2I_NEG) return std::is_integral_v<T> ? static_cast<T>(U(0) - x) : -a;
  else if constexpr (kind == F2I_ABS) {
    if constexpr (std::is_integral_v<T>) return a < 0 ? static_cast<T>(U(0) - x) : a;
    else return a < T(0) ? -a : a + T(0); // -0 too; a NaN keeps its sign
  } else if constexpr (kind == F2I_SQUARE) return static_cast<T>(x * x);
  else if constexpr (std::is_integral_v<T>) return a; // refused before
  else if constexpr (kind == F2I_SQRT) return root(a);
  else if constexpr (kind == F2I_EXP) return exponential(a);
  else return logarithm(a);
}

template <class T, int kind> struct Apply {
  Matrix<const T> a;
  const T *b; // null: the number
  int64_t b_row, b_col; // steps of b; 0 where it is repeated
  T number;
  Matrix<T> y;
  __device__ T load(int64_t i, int64_t j) const {
    return apply<T, kind>(a(i, j), b != nullptr ? b[i * b_row + j * b_col] : number);
  }
  __device__ void store(int64_t i, int64_t j, T value) const { y(i, j) = value; }
};

template <class T> struct Run {
  Exec &ex;
  const Elementwise &op;

  template <int kind> f2i_status as() const {
    const bool has_b = op.b && op.kind < F2I_NEG;
    const int64_t b_row = has_b && op.b.rows == op.a.rows ? op.b.ld : 0, b_col = has_b && op.b.cols == op.a.cols ? 1 : 0;
    int64_t rows = op.a.rows, cols = op.a.cols;
    // Nothing between the rows and no broadcast: one long row.
    if (contiguous(op.a) && contiguous(op.y) && (!has_b || (b_col == 1 && (rows == 1 || b_row == cols)))) {
      cols *= rows;
      rows = 1;
    }
    const Apply<T, kind> f{input_of<T>(op.a), has_b ? op.b.as<const T>() : nullptr, b_row, b_col, number(), matrix_of<T>(op.y)};
    return for_tiles(ex, "elementwise", rows, cols, f);
  }
  T number() const {
    if constexpr (std::is_same_v<T, int32_t>) {
      // Unary kinds do not look at it; of binary ones it is known to fit.
      return op.scalar >= -2147483648.0 && op.scalar <= 2147483647.0 ? static_cast<int32_t>(op.scalar) : 0;
    } else {
      return static_cast<T>(op.scalar);
    }
  }

  f2i_status operator()() const {
    switch (op.kind) {
    case F2I_ADD: return as<F2I_ADD>();
    case F2I_SUB: return as<F2I_SUB>();
    case F2I_MUL: return as<F2I_MUL>();
    case F2I_DIV: return as<F2I_DIV>();
    case F2I_MAX: return as<F2I_MAX>();
    case F2I_MIN: return as<F2I_MIN>();
    case F2I_NEG: return as<F2I_NEG>();
    case F2I_ABS: return as<F2I_ABS>();
    case F2I_SQRT: return as<F2I_SQRT>();
    case F2I_SQUARE: return as<F2I_SQUARE>();
    case F2I_EXP: return as<F2I_EXP>();
    default: return as<F2I_LOG>();
    }
  }
};

} // namespace

f2i_status elementwise(Exec &ex, const Elementwise &op) {
  switch (op.a.dtype) {
  case F2I_F64: return Run<double>{ex, op}();
  case F2I_I32: return Run<int32_t>{ex, op}();
  default: return Run<float>{ex, op}();
  }
}

} // namespace f2i::cuda
