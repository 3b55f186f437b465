// Roots of the secular equation, the heart of divide and conquer.
#pragma once

#include <stdint.h>

#include "eigh.hpp"

namespace f2i::cpu {

/// lambda = origin + mu, with the nearest pole as origin: differences d_j - lambda keep their relative
/// accuracy as (d_j - origin) - mu.
struct SecularRoot {
  double origin = 0, mu = 0;
};

using SecularKernel = void (*)(int64_t, int64_t, const double *, const double *, double, double, SecularSums *);

/// Root i (between d[i] and d[i + 1], or above d[count - 1]) of 1/rho + sum_j z_j^2 / (d_j - lambda) = 0
/// for ascending d, z without zeros and rho > 0. False where the iteration fails, which only numbers
/// that are not finite can cause.
bool secular_root(SecularKernel sums, int64_t count, int64_t i, const double *d, const double *z, double rho,
                  SecularRoot &root);

} // namespace f2i::cpu
