// l y = b, or l^T y = b.
#include "cpu/drivers.hpp"
#include "cpu/triangular_solve_blocked.hpp"

namespace f2i::cpu {
namespace {

template <class T> f2i_status triangular_solve_of(Exec &ex, const TriangularSolve &op) {
  if (op.y.rows == 0 || op.y.cols == 0) return F2I_OK;
  TriangularSolver<T> solver(ex, op.y.rows, op.y.cols);
  if (!solver.reserve()) return ex.fail(F2I_OUT_OF_MEMORY, "no room for the packed operands");
  copy_right_hand_sides(ex, op.b, op.y);
  return solver.solve(op.l.as<const T>(), op.l.ld, op.transpose, op.y.as<T>(), op.y.ld);
}

} // namespace

f2i_status triangular_solve(Exec &ex, const TriangularSolve &op) {
  return op.y.dtype == F2I_F64 ? triangular_solve_of<double>(ex, op) : triangular_solve_of<float>(ex, op);
}

} // namespace f2i::cpu
