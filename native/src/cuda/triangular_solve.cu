// l y = b and l^T y = b by blocks of 256 rows, each in two products: the block
// loses what the rows solved so far contribute to it, and is multiplied by the
// inverse of its diagonal block (as in MAGMA: Tomov et al. 2010, "Dense linear
// algebra solvers for multicore with GPU accelerators"), so that hundreds of
// thousands of columns run at the speed of products. The inverses are found first,
// all at once: of 32 x 32 by substitution, then of twice the side by
//
//   [ a 0 ]^-1   [    a^-1         0   ]
//   [ c b ]    = [ -b^-1 c a^-1   b^-1 ]
//
// An inverse's error is that of its block's condition alone, which for the factor of
// a matrix with a ridge is small.
#include "cuda/ops.hpp"
#include "cuda/product.cuh"
#include "cuda/tiles.cuh"

namespace f2i::cuda {
namespace {

constexpr int side = 256, leaf = 32; // of an inverse, and of those found by substitution
constexpr int64_t most_columns = 32768; // of y at once: bounds the room for a block of rows

/// Diagonal blocks, [block, row, side]; behind the matrix's end the identity.
template <class T> struct Diagonal {
  Matrix<const T> l;
  int64_t n;
  T *to;
  __device__ T load(int64_t i, int64_t j) const {
    const int64_t column = i / side * side + j;
    if (i >= n || column >= n) return i == column ? T(1) : T(0);
    return column <= i ? l(i, column) : T(0);
  }
  __device__ void store(int64_t i, int64_t j, T value) const { to[i * side + j] = value; }
};

template <class T> struct Leaf {
  T l[leaf][leaf + 1], inverse[leaf][leaf + 1];
};

/// Inverses of the leaves on the diagonals, a block of threads each, a thread a column; zeros beside them.
/// gridDim: leaves.
template <class T> __global__ void __launch_bounds__(leaf) leaf_kernel(const T *l, T *inverse) {
  Leaf<T> &s = shared_memory<Leaf<T>>();
  const int column = static_cast<int>(threadIdx.x), first = static_cast<int>(blockIdx.x) % (side / leaf) * leaf;
  const int64_t from = static_cast<int64_t>(blockIdx.x) * leaf * side; // its rows, of the whole width
  for (int row = 0; row < leaf; ++row) s.l[row][column] = l[from + row * side + first + column];
  __syncthreads();
  for (int i = 0; i < leaf; ++i) {
    T sum = i == column ? T(1) : T(0);
    for (int p = column; p < i; ++p) sum = fused(-s.l[i][p], s.inverse[p][column], sum);
    s.inverse[i][column] = i < column ? T(0) : sum / s.l[i][i];
  }
  for (int row = 0; row < leaf; ++row) {
    for (int part = 0; part < side; part += leaf) {
      inverse[from + row * side + part + column] = part == first ? s.inverse[row][column] : T(0);
    }
  }
}

template <class T> struct Copy {
  Matrix<const T> x;
  Matrix<T> y;
  __device__ T load(int64_t i, int64_t j) const { return x(i, j); }
  __device__ void store(int64_t i, int64_t j, T value) const { y(i, j) = value; }
};

template <class T> class Solver {
public:
  Solver(Exec &ex, const View &l) : ex_(ex), l_(input_of<T>(l)), n_(l.rows), blocks_(ceil_div(n_, side)) {}

  /// Inverses of the diagonal blocks.
  f2i_status prepare(int64_t columns) {
    const int64_t all = blocks_ * side * side;
    columns_ = columns < most_columns ? columns : most_columns;
    T *const diagonals = ex_.scratch_of<T>(all), *const between = ex_.scratch_of<T>(all / 4);
    inverses_ = ex_.scratch_of<T>(all);
    block_ = ex_.scratch_of<T>(side * columns_);
    if (diagonals == nullptr || between == nullptr || inverses_ == nullptr || block_ == nullptr) {
      return ex_.fail(F2I_OUT_OF_MEMORY, "no room for inverses of diagonal blocks and %lld columns", static_cast<long long>(columns_));
    }
    F2I_TRY(for_tiles(ex_, "triangular_solve, diagonal blocks", blocks_ * side, side, Diagonal<T>{l_, n_, diagonals}));
    F2I_TRY(launch(ex_, "triangular_solve, leaves", leaf_kernel<T>, dim3(static_cast<unsigned>(blocks_ * (side / leaf))),
                   dim3(leaf), sizeof(Leaf<T>), diagonals, inverses_));
    for (int half = leaf; half < side; half *= 2) {
      const int64_t below = static_cast<int64_t>(half) * side; // of c and its part of the inverse, from the pair's first entry
      F2I_TRY(multiply_pairs(half, diagonals + below, side, inverses_, side, between, half, T(1)));
      F2I_TRY(multiply_pairs(half, inverses_ + below + half, side, between, half, inverses_ + below, side, T(-1)));
    }
    return F2I_OK;
  }

  /// y = op(l)^-1 b; b may be y.
  f2i_status solve(bool transpose, Matrix<const T> b, Matrix<T> y, int64_t columns) const {
    for (int64_t first = 0; first < columns; first += most_columns) {
      const int64_t some = columns - first < most_columns ? columns - first : most_columns;
      for (int64_t k = 0; k < blocks_; ++k) {
        F2I_TRY(solve_block(transpose, transpose ? blocks_ - 1 - k : k, {b.data + first, b.ld}, {y.data + first, y.ld}, some));
      }
    }
    return F2I_OK;
  }

private:
  /// y = alpha a b for the pairs of sides `half` of all blocks.
  f2i_status multiply_pairs(int half, const T *a, int64_t lda, const T *b, int64_t ldb, T *y, int64_t ldy, T alpha) const {
    const int64_t pairs = side / (2 * half), square = static_cast<int64_t>(half) * half;
    // Pairs lie along the diagonal of a block; products between are one after the other.
    const auto by_pair = [&](int64_t ld) { return ld == side ? 2 * half * (side + 1) : square; };
    const auto by_block = [&](int64_t ld) { return ld == side ? static_cast<int64_t>(side) * side : square * pairs; };
    Product<T> p{half, half, half, operand(a, lda, true), operand(b, ldb, false), {}};
    p.a.by_plane = by_block(lda), p.a.by_group = by_pair(lda);
    p.b.by_plane = by_block(ldb), p.b.by_group = by_pair(ldb);
    p.finish.by_plane = by_block(ldy), p.finish.by_group = by_pair(ldy);
    p.planes = blocks_, p.groups = pairs;
    p.finish.alpha = alpha;
    p.finish.y = y;
    p.finish.ldy = ldy;
    return product(ex_, "triangular_solve, inverses", p);
  }

  f2i_status solve_block(bool transpose, int64_t block, Matrix<const T> b, Matrix<T> y, int64_t columns) const {
    const int64_t row = block * side, rows = n_ - row < side ? n_ - row : side;
    // Rows that are solved already.
    const int64_t term = transpose ? row + rows : 0, terms = transpose ? n_ - term : row;
    const T *rest = &b(row, 0);
    int64_t ld = b.ld;
    if (terms > 0) {
      Product<T> lose{rows, columns, terms, operand(transpose ? &l_(term, row) : &l_(row, term), l_.ld, !transpose),
                      operand(static_cast<const T *>(&y(term, 0)), y.ld, false), {}};
      lose.finish.alpha = -1;
      lose.finish.beta = 1;
      lose.finish.c = rest;
      lose.finish.ldc = ld;
      lose.finish.y = block_;
      lose.finish.ldy = columns;
      F2I_TRY(product(ex_, "triangular_solve, update", lose));
    } else if (rest == y.data + row * y.ld) { // a product is not made in place
      F2I_TRY(for_tiles(ex_, "triangular_solve, copy", rows, columns, Copy<T>{{rest, ld}, {block_, columns}}));
    }
    if (terms > 0 || rest == y.data + row * y.ld) {
      rest = block_;
      ld = columns;
    }
    const T *const inverse = inverses_ + block * side * side;
    Product<T> turn{rows, columns, rows, operand(inverse, side, !transpose), operand(rest, ld, false), {}};
    turn.finish.y = &y(row, 0);
    turn.finish.ldy = y.ld;
    return product(ex_, "triangular_solve, block", turn);
  }

  Exec &ex_;
  const Matrix<const T> l_;
  const int64_t n_, blocks_;
  int64_t columns_ = 0;
  T *inverses_ = nullptr, *block_ = nullptr; // block_: side rows of columns_
};

} // namespace

f2i_status triangular_solve(Exec &ex, const TriangularSolve &op) {
  return with_float(op.y.dtype, [&](auto zero) -> f2i_status {
    using T = decltype(zero);
    if (op.y.rows == 0 || op.y.cols == 0) return F2I_OK;
    Solver<T> solver(ex, op.l);
    F2I_TRY(solver.prepare(op.y.cols));
    return solver.solve(op.transpose, input_of<T>(op.b), matrix_of<T>(op.y), op.y.cols);
  });
}

f2i_status cholesky_solve(Exec &ex, const CholeskySolve &op) {
  return with_float(op.y.dtype, [&](auto zero) -> f2i_status {
    using T = decltype(zero);
    if (op.y.rows == 0 || op.y.cols == 0) return F2I_OK;
    Solver<T> solver(ex, op.l);
    F2I_TRY(solver.prepare(op.y.cols));
    F2I_TRY(solver.solve(false, input_of<T>(op.b), matrix_of<T>(op.y), op.y.cols));
    return solver.solve(true, input_of<T>(op.y), matrix_of<T>(op.y), op.y.cols);
  });
}

} // namespace f2i::cuda
