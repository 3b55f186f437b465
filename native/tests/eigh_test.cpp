// eigh through the C ABI: residual, orthogonality, order and signs.
#include "engine.hpp"

using namespace engine;

namespace {

enum class Kind { random, diagonal, repeated, low_rank, tiny, huge };
const char *const kind_names[] = {"random", "diagonal", "repeated", "low rank", "tiny", "huge"};

/// The lower triangle of a symmetric matrix; NaN above, where nothing may be read.
template <class T> Matrix<T> symmetric(int64_t n, Kind kind, Place place) {
  Matrix<double> full(n, n);
  full.fill(0);
  const int64_t rank = kind == Kind::low_rank ? std::max<int64_t>(1, n / 4) : n;
  const Matrix<double> g = Matrix<double>(n, rank).random(9);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      double value = 0;
      switch (kind) {
      case Kind::diagonal: value = i == j ? static_cast<double>((i * 7) % n) - 2 : 0; break;
      case Kind::repeated: value = i == j ? 3 : 0; break;
      case Kind::low_rank:
        for (int64_t p = 0; p < rank; ++p) value += g(i, p) * g(j, p);
        break;
      default: value = g(i, j);
      }
      if (kind == Kind::tiny) value *= 1e-30;
      if (kind == Kind::huge) value *= 1e30;
      full(i, j) = value;
    }
  }
  Matrix<T> a(n, n, place);
  a.fill(Matrix<T>::guard());
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j <= i; ++j) a(i, j) = static_cast<T>(full(i, j));
  return a;
}

template <class T> void check_eigh(int64_t n, Kind kind, Place place) {
  const Matrix<T> a = symmetric<T>(n, kind, place);
  everywhere<T>(
      "eigh " + std::to_string(n) + " " + kind_names[static_cast<int>(kind)],
      [&](const Engine &engine) {
        const Device<T> da(engine, a), dw(engine, Matrix<T>(1, n, place)), dq(engine, Matrix<T>(n, n, place));
        f2i_eigh_args args = F2I_INIT(f2i_eigh_args);
        args.a = da;
        args.w = dw;
        args.q = dq;
        ok(f2i_eigh(engine, &args));
        std::vector<T> result = dw.download().elements();
        const std::vector<T> q = dq.download().elements();
        result.insert(result.end(), q.begin(), q.end());
        return result;
      },
      [&](const std::vector<T> &found) -> std::string {
        const auto w = [&](int64_t j) { return static_cast<double>(found[static_cast<size_t>(j)]); };
        const auto q = [&](int64_t i, int64_t j) { return static_cast<double>(found[static_cast<size_t>(n + i * n + j)]); };
        double norm = 0;
        for (int64_t i = 0; i < n; ++i) {
          double row = 0;
          for (int64_t j = 0; j < n; ++j) row += std::abs(static_cast<double>(j <= i ? a(i, j) : a(j, i)));
          norm = std::max(norm, row);
        }
        const double tolerance = epsilon<T> * (10 + 2 * std::sqrt(static_cast<double>(n)));
        for (int64_t j = 0; j < n; ++j) {
          if (j > 0 && w(j) < w(j - 1)) return "eigenvalues are not ascending";
          double largest = 0, signed_largest = 0;
          for (int64_t i = 0; i < n; ++i) {
            double sum = 0;
            for (int64_t p = 0; p < n; ++p) sum += static_cast<double>(p <= i ? a(i, p) : a(p, i)) * q(p, j);
            if (!(std::abs(sum - w(j) * q(i, j)) <= tolerance * norm)) {
              return "residual of eigenpair " + std::to_string(j) + " is " +
                     std::to_string(std::abs(sum - w(j) * q(i, j)) / (tolerance * norm)) + " of the tolerance";
            }
            if (std::abs(q(i, j)) > largest) {
              largest = std::abs(q(i, j));
              signed_largest = q(i, j);
            }
          }
          if (!(signed_largest > 0)) return "the largest entry of eigenvector " + std::to_string(j) + " is negative";
          for (int64_t k = 0; k <= j; ++k) {
            double dot = 0;
            for (int64_t i = 0; i < n; ++i) dot += q(i, j) * q(i, k);
            if (!(std::abs(dot - (j == k)) <= tolerance)) {
              return "eigenvectors " + std::to_string(j) + " and " + std::to_string(k) + " are not orthonormal by " +
                     std::to_string(std::abs(dot - (j == k)) / tolerance) + " of the tolerance";
            }
          }
        }
        return "";
      });
}

template <class T> void check_all() {
  for (const int64_t n : {1, 2, 3, 10, 33, 64, 100, 161}) {
    check_eigh<T>(n, Kind::random, n % 2 == 0 ? Place{} : Place{3, 2});
  }
  for (const Kind kind : {Kind::diagonal, Kind::repeated, Kind::low_rank, Kind::tiny, Kind::huge}) {
    check_eigh<T>(60, kind, {});
  }
}

} // namespace

TEST(eigh_f32) { check_all<float>(); }
TEST(eigh_f64) { check_all<double>(); }

TEST(an_entry_that_is_not_finite_is_named) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const Engine engine;
    Matrix<double> a = symmetric<double>(40, Kind::random, {});
    a(30, 7) = a(33, 2) = bad; // the first in the order of rows
    const Device<double> da(engine, a), dw(engine, Matrix<double>(1, 40)), dq(engine, Matrix<double>(40, 40));
    f2i_eigh_args args = F2I_INIT(f2i_eigh_args);
    args.a = da;
    args.w = dw;
    args.q = dq;
    ok(f2i_eigh(engine, &args));
    const f2i_failure failure = engine.sync();
    CHECK_EQUAL(failure.status, F2I_NO_CONVERGENCE);
    CHECK_CONTAINS(failure.message, std::isnan(bad) ? "a[30, 7] is nan" : "a[30, 7] is inf");
  }
}

CHECK_MAIN();
