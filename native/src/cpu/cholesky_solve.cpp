// l l^T y = b: forward, then backward substitution.
#include "cpu/drivers.hpp"
#include "cpu/triangular_solve_blocked.hpp"

namespace f2i::cpu {
namespace {

template <class T> f2i_status cholesky_solve_of(Exec &ex, const CholeskySolve &op) {
  if (op.y.rows == 0 || op.y.cols == 0) return F2I_OK;
  TriangularSolver<T> solver(ex, op.y.rows, op.y.cols);
  if (!solver.reserve()) return ex.fail(F2I_OUT_OF_MEMORY, "no room for the packed operands");
  copy_right_hand_sides(ex, op.b, op.y);
  const T *l = op.l.as<const T>();
  T *y = op.y.as<T>();
  if (const f2i_status status = solver.solve(l, op.l.ld, false, y, op.y.ld)) return status;
  return solver.solve(l, op.l.ld, true, y, op.y.ld);
}

} // namespace

f2i_status cholesky_solve(Exec &ex, const CholeskySolve &op) {
  return op.y.dtype == F2I_F64 ? cholesky_solve_of<double>(ex, op) : cholesky_solve_of<float>(ex, op);
}

} // namespace f2i::cpu
