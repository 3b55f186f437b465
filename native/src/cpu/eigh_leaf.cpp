// The implicit QL algorithm with Wilkinson's shift (Dubrulle, Martin & Wilkinson, 1968, "The implicit QL
// algorithm").
#include "eigh_leaf.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace f2i::cpu {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();
constexpr int most_sweeps = 60; // per eigenvalue; two or three are usual

} // namespace

bool solve_leaf(int64_t n, double *d, double *e, double *z) {
  double norm = 0;
  for (int64_t i = 0; i < n; ++i) {
    norm = std::max(norm, std::fabs(d[i]));
    if (i + 1 < n) norm = std::max(norm, std::fabs(e[i]));
    for (int64_t j = 0; j < n; ++j) z[i * n + j] = i == j ? 1 : 0;
  }
  const double least = epsilon * epsilon * norm;
  auto negligible = [&](int64_t i) {
    return std::fabs(e[i]) <= epsilon * std::sqrt(std::fabs(d[i])) * std::sqrt(std::fabs(d[i + 1])) ||
           std::fabs(e[i]) <= least;
  };

  for (int64_t first = 0; first < n; ++first) {
    for (int sweep = 0;; ++sweep) {
      int64_t end = first; // the block [first, end] is not yet split
      while (end + 1 < n && !negligible(end)) ++end;
      if (end == first) break;
      if (sweep == most_sweeps) return false;
      if (end + 1 < n) e[end] = 0;

      // Wilkinson's shift: the eigenvalue of the leading 2 x 2 block that is nearer to d[first].
      const double half = (d[first + 1] - d[first]) / (2 * e[first]);
      double g = d[end] - d[first] + e[first] / (half + std::copysign(std::hypot(half, 1.0), half));
      double sine = 1, cosine = 1, shift = 0;
      int64_t i = end - 1;
      for (; i >= first; --i) {
        const double f = sine * e[i], b = cosine * e[i], r = std::hypot(f, g);
        if (i + 1 < end) e[i + 1] = r;
        if (r == 0) { // the block splits at i + 1
          d[i + 1] -= shift;
          break;
        }
        sine = f / r;
        cosine = g / r;
        g = d[i + 1] - shift;
        const double t = (d[i] - g) * sine + 2 * cosine * b;
        shift = sine * t;
        d[i + 1] = g + shift;
        g = cosine * t - b;
        double *low = z + i * n, *high = low + n;
        for (int64_t j = 0; j < n; ++j) {
          const double u = high[j];
          high[j] = sine * low[j] + cosine * u;
          low[j] = cosine * low[j] - sine * u;
        }
      }
      if (i >= first) continue;
      d[first] -= shift;
      e[first] = g;
    }
  }
  return true;
}

} // namespace f2i::cpu
