#include "residual.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "values.hpp"

namespace replay {
namespace {

using Vector = std::vector<double>;
constexpr double infinity = std::numeric_limits<double>::infinity();

size_t at(int64_t i) { return static_cast<size_t>(i); }

double norm(const Vector &v) {
  double sum = 0;
  for (const double x : v) sum += x * x;
  return std::sqrt(sum);
}

/// As std::max, but NaN wins.
double larger(double a, double b) { return b <= a ? a : std::isnan(b) ? infinity : b; }

double relative(double residual, double scale, double allowed) {
  return residual == 0 ? 0 : larger(0, residual / scale / allowed);
}

double allowed(const Dense &m, int64_t n) { return unit_roundoff(m.dtype) * static_cast<double>(n + 8); }

/// Of a symmetric matrix, of which the lower triangle counts.
double symmetric(const Dense &a, int64_t i, int64_t j) { return a(std::max(i, j), std::min(i, j)); }

/// The lower triangle, or its transpose, times a vector.
Vector apply(const Dense &l, bool transpose, const Vector &x) {
  Vector y(x.size());
  for (int64_t i = 0; i < l.rows; ++i)
    for (int64_t j = 0; j <= i; ++j) y[at(transpose ? j : i)] += l(i, j) * x[at(transpose ? i : j)];
  return y;
}

/// l l^T restores a + shift I; the diagonal is positive, what is above it exactly zero.
Verdict factors(double shift, const Dense &a, const Dense &l) {
  const int64_t n = l.rows;
  double residual = 0, size = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (!(l(i, i) > 0)) return {infinity, "a diagonal entry is not positive"};
    for (int64_t j = i + 1; j < n; ++j)
      if (l(i, j) != 0) return {infinity, "an entry above the diagonal is not zero"};
    for (int64_t j = 0; j < n; ++j) {
      double restored = 0;
      for (int64_t k = 0; k <= std::min(i, j); ++k) restored += l(i, k) * l(j, k);
      const double wanted = symmetric(a, i, j) + (i == j ? shift : 0);
      residual += (restored - wanted) * (restored - wanted), size += wanted * wanted;
    }
  }
  return {relative(std::sqrt(residual), std::sqrt(size), allowed(l, n)), "|l l^T - a| / |a|"};
}

/// Column by column: the residual against what enters it, |l|^(one or two) |y| + |b|.
Verdict solutions(bool first, bool second, const Dense &l, const Dense &b, const Dense &y) {
  const int64_t n = l.rows;
  Vector lower;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j <= i; ++j) lower.push_back(l(i, j));
  const double factor = norm(lower), scale = first && second ? factor * factor : factor;
  double worst = 0;
  for (int64_t c = 0; c < y.cols; ++c) {
    Vector solution(at(n)), target(at(n));
    for (int64_t i = 0; i < n; ++i) solution[at(i)] = y(i, c), target[at(i)] = b(i, c);
    Vector residual = solution;
    if (second) residual = apply(l, true, residual);
    if (first) residual = apply(l, false, residual);
    for (int64_t i = 0; i < n; ++i) residual[at(i)] -= target[at(i)];
    worst = larger(worst, relative(norm(residual), scale * norm(solution) + norm(target), allowed(y, n)));
  }
  return {worst, "|l y - b| of a column"};
}

/// a q = q diag(w), q^T q = I, w ascending and the reference's; of each eigenvector the largest entry, or one
/// that rounding ties with it, is positive.
Verdict eigenpairs(const Dense &a, const Dense &w, const Dense &q, const double *values, uint64_t count) {
  const int64_t n = a.rows;
  const double limit = allowed(q, n), u = unit_roundoff(q.dtype);
  if (count != static_cast<uint64_t>(n)) throw std::invalid_argument("eigh: as many values as rows");
  double size = 0, residual = 0, gram = 0, shift = 0;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) size += symmetric(a, i, j) * symmetric(a, i, j);
  size = std::sqrt(size);
  for (int64_t j = 0; j < n; ++j) {
    if (j + 1 < n && !(w(0, j) <= w(0, j + 1))) return {infinity, "eigenvalues descend"};
    double most = -infinity, magnitude = 0;
    for (int64_t i = 0; i < n; ++i) most = std::max(most, q(i, j)), magnitude = std::max(magnitude, std::abs(q(i, j)));
    if (!(most >= magnitude * (1 - 8 * u))) return {infinity, "the largest entry of an eigenvector is not positive"};
    for (int64_t i = 0; i < n; ++i) {
      double product = -w(0, j) * q(i, j), dot = i == j ? -1 : 0;
      for (int64_t k = 0; k < n; ++k) product += symmetric(a, i, k) * q(k, j), dot += q(k, i) * q(k, j);
      residual += product * product, gram += dot * dot;
    }
    shift += (w(0, j) - values[j]) * (w(0, j) - values[j]);
  }
  const double sides[] = {relative(std::sqrt(residual), size, limit),
                          relative(std::sqrt(gram), std::sqrt(static_cast<double>(n)), limit),
                          relative(std::sqrt(shift), size, limit)};
  const char *const names[] = {"|a q - q w| / |a|", "|q^T q - I| / sqrt(n)", "|w - reference| / |a|"};
  const auto worst = std::max_element(std::begin(sides), std::end(sides)) - std::begin(sides);
  return {sides[worst], names[worst]};
}

} // namespace

Verdict judge_residual(const std::string &rule, const std::vector<double> &scalars, const std::vector<Dense> &matrices,
                       const double *values, uint64_t count) {
  const auto need = [&](size_t numbers, size_t operands) {
    if (scalars.size() < numbers || matrices.size() != operands)
      throw std::invalid_argument("residual " + rule + ": other arguments than expected");
  };
  if (rule == "cholesky_factor") return need(1, 2), factors(scalars[0], matrices[0], matrices[1]);
  if (rule == "cholesky_solve") return need(0, 3), solutions(true, true, matrices[0], matrices[1], matrices[2]);
  if (rule == "triangular_solve") {
    need(1, 3);
    const bool transpose = scalars[0] != 0;
    return solutions(!transpose, transpose, matrices[0], matrices[1], matrices[2]);
  }
  if (rule == "eigh") return need(0, 3), eigenpairs(matrices[0], matrices[1], matrices[2], values, count);
  throw std::invalid_argument("residual " + rule + ": no such rule");
}

} // namespace replay
