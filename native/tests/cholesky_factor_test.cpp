// cholesky_factor through the C ABI, by its residual l l^T - (a + shift I).
#include "engine.hpp"

using namespace engine;

namespace {

/// g g^T / k + I in the lower triangle; NaN above, where nothing may be read.
template <class T> Matrix<T> definite(int64_t n, Place place = {}) {
  const int64_t k = n + 3;
  const Matrix<double> g = Matrix<double>(n, k).random(6);
  Matrix<T> a(n, n, place);
  a.fill(Matrix<T>::guard());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < k; ++p) sum += g(i, p) * g(j, p);
      a(i, j) = static_cast<T>(sum / static_cast<double>(k) + (i == j ? 1 : 0));
    }
  }
  return a;
}

template <class T> f2i_status factor(const Engine &engine, const Device<T> &a, const Device<T> &y, double shift) {
  f2i_cholesky_factor_args args = F2I_INIT(f2i_cholesky_factor_args);
  args.shift = shift;
  args.a = a;
  args.y = y;
  return f2i_cholesky_factor(engine, &args);
}

template <class T> void check_factor(int64_t n, bool in_place, Place place) {
  const Matrix<T> a = definite<T>(n, place);
  const double shift = 0.25;
  everywhere<T>(
      "cholesky_factor " + std::to_string(n) + (in_place ? " in place" : ""),
      [&](const Engine &engine) {
        const Device<T> da(engine, a), dy(engine, Matrix<T>(n, n));
        const Device<T> &target = in_place ? da : dy;
        ok(factor(engine, da, target, shift));
        return target.download().elements();
      },
      [&](const std::vector<T> &found) -> std::string {
        const auto l = [&](int64_t i, int64_t j) { return static_cast<double>(found[static_cast<size_t>(i * n + j)]); };
        std::vector<double> product, expected, scale;
        for (int64_t i = 0; i < n; ++i) {
          for (int64_t j = 0; j < n; ++j) {
            if (j > i) {
              if (l(i, j) != 0) return "not zero above the diagonal";
              continue;
            }
            double sum = 0, size = 0;
            for (int64_t p = 0; p <= j; ++p) sum += l(i, p) * l(j, p), size += std::abs(l(i, p) * l(j, p));
            product.push_back(sum);
            expected.push_back(a(i, j) + (i == j ? shift : 0));
            scale.push_back(size);
          }
          if (!(l(i, i) > 0)) return "a pivot that is not positive";
        }
        return compare(product, expected, epsilon<T> * (8 + std::sqrt(static_cast<double>(n)) / 2), scale);
      });
}

template <class T> void check_all() {
  int variant = 0;
  for (const int64_t n : {1, 2, 5, 17, 64, 65, 130, 257, 400}) {
    check_factor<T>(n, variant % 2 == 1, variant % 3 == 0 ? Place{} : Place{3, 1});
    ++variant;
  }
}

} // namespace

TEST(cholesky_factor_f32) { check_all<float>(); }
TEST(cholesky_factor_f64) { check_all<double>(); }

TEST(a_matrix_that_is_not_positive_definite_fails_naming_the_pivot) {
  for (const int64_t at : {0, 3, 99, 200, 299}) {
    for (const double bad : {-1.0, std::numeric_limits<double>::quiet_NaN()}) {
      const Engine engine;
      Matrix<double> a(300, 300);
      for (int64_t i = 0; i < 300; ++i)
        for (int64_t j = 0; j < 300; ++j) a(i, j) = i == j ? 2 : 0;
      a(at, at) = bad;
      const Device<double> da(engine, a), dy(engine, Matrix<double>(300, 300));
      ok(factor(engine, da, dy, 0.5));
      const f2i_failure failure = engine.sync();
      CHECK_EQUAL(failure.status, F2I_NOT_POSITIVE_DEFINITE);
      CHECK_EQUAL(failure.op, "cholesky_factor");
      CHECK_CONTAINS(failure.message, std::to_string(at));
    }
  }
}

TEST(the_shift_makes_a_singular_matrix_definite) {
  const Engine engine;
  Matrix<double> zero(50, 50);
  zero.fill(0);
  const Device<double> a(engine, zero), y(engine, zero);
  ok(factor(engine, a, y, 0.0));
  CHECK_EQUAL(engine.sync().status, F2I_NOT_POSITIVE_DEFINITE);
  ok(factor(engine, a, y, 4.0));
  CHECK_EQUAL(y.download()(49, 49), 2.0);
}

CHECK_MAIN();
