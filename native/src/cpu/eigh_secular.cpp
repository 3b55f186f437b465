// The equation is solved by rational interpolation: next to the root f behaves as c + s/(d_i - x) +
// S/(d_{i+1} - x), whose root is that of a quadratic (Bunch, Nielsen & Sorensen, 1978, "Rank-one
// modification of the symmetric eigenproblem"; Li, 1993, "Solving secular equations stably and
// efficiently", for the choice of c). f increases between its poles, so that a bracket makes the
// iteration safe whatever the interpolation proposes.
#include "eigh_secular.hpp"

#include <cmath>
#include <limits>

namespace f2i::cpu {
namespace {

constexpr double unit_roundoff = std::numeric_limits<double>::epsilon() / 2;
constexpr int most_steps = 200;

double square(double x) { return x * x; }

/// (a - sqrt(a^2 - 4 b c)) / (2 c) without cancellation; a root of c x^2 - a x + b.
double lower_root(double a, double b, double c) {
  const double root = std::sqrt(std::fabs(a * a - 4 * b * c));
  return a <= 0 ? (a - root) / (2 * c) : 2 * b / (a + root);
}
/// (a + sqrt(a^2 - 4 b c)) / (2 c), likewise.
double upper_root(double a, double b, double c) {
  const double root = std::sqrt(std::fabs(a * a - 4 * b * c));
  return a >= 0 ? (a + root) / (2 * c) : 2 * b / (a - root);
}

/// A point inside the bracket (low, high), of which one end may be a pole at 0: by magnitude where the
/// ends differ much.
double between(double low, double high) {
  if (low == 0) return high / 16;
  if (high == 0) return low / 16;
  if (low > 0 && high > 4 * low) return std::sqrt(low) * std::sqrt(high);
  if (high < 0 && low < 4 * high) return -std::sqrt(-low) * std::sqrt(-high);
  return low + (high - low) / 2;
}

} // namespace

bool secular_root(SecularKernel evaluate, int64_t count, int64_t i, const double *d, const double *z,
                  double rho, SecularRoot &result) {
  const double constant = 1 / rho;
  if (count == 1) {
    result = {d[0], rho * z[0] * z[0]};
    return std::isfinite(result.mu);
  }
  const bool last = i == count - 1;
  // The poles that are interpolated, d[p] and d[p + 1]; psi sums those up to d[p], phi the others.
  const int64_t p = last ? count - 2 : i;
  const double gap = d[p + 1] - d[p], z0 = square(z[p]), z1 = square(z[p + 1]);

  SecularSums sums;
  double origin, low, high, mu;
  bool at_lower = false; // the origin is d[p]
  if (last) {
    double norm = 0;
    for (int64_t j = 0; j < count; ++j) norm += z[j] * z[j];
    origin = d[p + 1];
    low = 0;
    high = rho * norm * (1 + 16 * unit_roundoff * static_cast<double>(count));
    mu = high / 2;
    evaluate(count, p + 1, d, z, origin, mu, &sums);
    const double rest = constant + sums.psi + sums.phi + z0 / (gap + mu) + z1 / mu;
    if (rest > 0) mu = upper_root(z0 + z1 - rest * gap, -z1 * gap, rest);
  } else {
    const double half = gap / 2;
    evaluate(count, p + 1, d, z, d[p], half, &sums);
    const double middle = constant + sums.psi + sums.phi;
    const double rest = middle + z0 / half - z1 / (gap - half);
    at_lower = middle >= 0;
    if (at_lower) {
      origin = d[p];
      low = 0;
      high = half;
      mu = lower_root(rest * gap + z0 + z1, z0 * gap, rest);
    } else {
      origin = d[p + 1];
      low = -half;
      high = 0;
      mu = lower_root(z0 + z1 - rest * gap, -z1 * gap, rest);
    }
  }
  if (!(mu > low && mu < high)) mu = between(low, high);

  bool weighted = true; // the origin's pole keeps its weight; otherwise both are fitted
  double previous = std::numeric_limits<double>::infinity();
  for (int step = 0; step < most_steps; ++step) {
    evaluate(count, p + 1, d, z, origin, mu, &sums);
    const double value = constant + sums.psi + sums.phi, slope = sums.psi_slope + sums.phi_slope;
    if (!std::isfinite(value)) return false;
    const double error = 8 * (std::fabs(sums.psi) + std::fabs(sums.phi)) + 2 * constant + std::fabs(mu) * slope;
    if (std::fabs(value) <= unit_roundoff * error) {
      result = {origin, mu};
      return true;
    }
    (value > 0 ? high : low) = mu;
    if (std::fabs(value) > previous / 10) weighted = !weighted;
    previous = std::fabs(value);

    const double lower = (d[p] - origin) - mu, upper = (d[p + 1] - origin) - mu;
    const double a = (lower + upper) * value - lower * upper * slope, b = lower * upper * value;
    double c, move;
    if (!last) {
      c = !weighted ? value - lower * sums.psi_slope - upper * sums.phi_slope
          : at_lower ? value - upper * slope + gap * square(z[p] / lower)
                     : value - lower * slope - gap * square(z[p + 1] / upper);
      move = lower_root(a, b, c);
    } else {
      c = std::fabs(value - lower * sums.psi_slope - upper * sums.phi_slope);
      move = upper_root(a, b, c);
    }
    if (!(move * value < 0)) move = -value / slope; // also when c = 0
    double next = mu + move;
    if (!(next > low && next < high)) next = between(low, high);
    if (std::fabs(next - mu) <= unit_roundoff * std::fabs(mu) || !(next > low && next < high)) {
      result = {origin, next > low && next < high ? next : mu};
      return true; // neighbours in floating point
    }
    mu = next;
  }
  return false;
}

} // namespace f2i::cpu
