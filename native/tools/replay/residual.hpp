// Rules for factors, solutions and eigenpairs: residuals and orthogonality in
// double, not entries, which such matrices may not determine. The bounds are those
// of packages/core/conformance/factorisation.ts: backward stable algorithms keep a
// relative residual near u sqrt(n), and u (n + 8) is allowed.
#pragma once

#include <string>
#include <vector>

#include "f2i/f2i.h"

namespace replay {

/// A dense matrix of a device as doubles.
struct Dense {
  int64_t rows, cols;
  f2i_dtype dtype;
  std::vector<double> data;
  double operator()(int64_t i, int64_t j) const { return data[static_cast<size_t>(i * cols + j)]; }
};

struct Verdict {
  double worst = 0; // error over tolerance; at most 1 is right
  std::string where;
};

/// The rule of an op on its inputs and outputs, in their order; `values` are eigenvalues of the reference.
/// Throws std::invalid_argument for a rule that is not known or that has other matrices.
Verdict judge_residual(const std::string &rule, const std::vector<double> &scalars, const std::vector<Dense> &matrices,
                       const double *values, uint64_t count);

} // namespace replay
