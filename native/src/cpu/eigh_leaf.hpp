// Small tridiagonal eigenproblems.
#pragma once

#include <stdint.h>

namespace f2i::cpu {

constexpr int64_t eigh_leaf_size = 32;

/// Eigenvalues of the tridiagonal matrix (d[n], e[n - 1]), n <= eigh_leaf_size, over d; e is destroyed.
/// z[n, n] gets the eigenvectors in its rows. False without convergence.
bool solve_leaf(int64_t n, double *d, double *e, double *z);

} // namespace f2i::cpu
