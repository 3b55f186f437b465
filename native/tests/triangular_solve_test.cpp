// triangular_solve and cholesky_solve through the C ABI, by their residuals.
#include "engine.hpp"

using namespace engine;

namespace {

/// A well-conditioned lower triangle; NaN above, where nothing may be read.
template <class T> Matrix<T> lower(int64_t n, Place place) {
  Matrix<T> l = Matrix<T>(n, n, place).random(7, 1 / std::sqrt(static_cast<double>(n) * 4));
  for (int64_t i = 0; i < n; ++i) {
    l(i, i) = static_cast<T>(1 + 0.5 * std::sin(static_cast<double>(i)));
    for (int64_t j = i + 1; j < n; ++j) l(i, j) = Matrix<T>::guard();
  }
  return l;
}

enum class Solve { plain, transposed, both };

/// slack: of the tolerance; the largest of many errors is larger.
template <class T> void check_solve(int64_t n, int64_t t, Solve kind, bool in_place, Place place, double slack = 1) {
  const Matrix<T> l = lower<T>(n, place), b = Matrix<T>(n, t, place).random(8);
  everywhere<T>(
      std::string(kind == Solve::both ? "cholesky_solve " : "triangular_solve ") + std::to_string(n) + ", " +
          std::to_string(t) + " columns" + (kind == Solve::transposed ? ", transposed" : "") +
          (in_place ? ", in place" : ""),
      [&](const Engine &engine) {
        const Device<T> dl(engine, l), db(engine, b), dy(engine, Matrix<T>(n, t));
        const Device<T> &target = in_place ? db : dy;
        if (kind == Solve::both) {
          f2i_cholesky_solve_args args = F2I_INIT(f2i_cholesky_solve_args);
          args.l = dl;
          args.b = db;
          args.y = target;
          ok(f2i_cholesky_solve(engine, &args));
        } else {
          f2i_triangular_solve_args args = F2I_INIT(f2i_triangular_solve_args);
          args.transpose = kind == Solve::transposed;
          args.l = dl;
          args.b = db;
          args.y = target;
          ok(f2i_triangular_solve(engine, &args));
        }
        return target.download().elements();
      },
      [&](const std::vector<T> &found) {
        std::vector<double> product, expected, scale;
        std::vector<double> column(static_cast<size_t>(n)), size(static_cast<size_t>(n));
        // Multiplies back: l y, l^T y, or l (l^T y); sizes add the magnitudes.
        const auto multiply = [&](bool transpose) {
          std::vector<double> result(static_cast<size_t>(n)), magnitude(static_cast<size_t>(n));
          for (int64_t i = 0; i < n; ++i) {
            for (int64_t j = 0; j <= i; ++j) {
              const auto from = static_cast<size_t>(transpose ? i : j), to = static_cast<size_t>(transpose ? j : i);
              result[to] += l(i, j) * column[from];
              magnitude[to] += std::abs(static_cast<double>(l(i, j))) * size[from];
            }
          }
          column = result;
          size = magnitude;
        };
        for (int64_t c = 0; c < t; ++c) {
          for (int64_t i = 0; i < n; ++i) {
            column[static_cast<size_t>(i)] = found[static_cast<size_t>(i * t + c)];
            size[static_cast<size_t>(i)] = std::abs(column[static_cast<size_t>(i)]);
          }
          if (kind != Solve::plain) multiply(true);
          if (kind != Solve::transposed) multiply(false);
          for (int64_t i = 0; i < n; ++i) {
            product.push_back(column[static_cast<size_t>(i)]);
            scale.push_back(size[static_cast<size_t>(i)]);
            expected.push_back(b(i, c));
          }
        }
        return compare(product, expected, slack * epsilon<T> * (4 + std::sqrt(static_cast<double>(n)) / 2), scale);
      });
}

template <class T> void check_all() {
  int variant = 0;
  for (const auto &[n, t] : {std::pair<int64_t, int64_t>{1, 1}, {1, 5}, {6, 1}, {13, 7}, {64, 64}, {65, 33}, {130, 1},
                             {200, 17}, {300, 90}, {70, 400}}) {
    for (const Solve kind : {Solve::plain, Solve::transposed, Solve::both}) {
      check_solve<T>(n, t, kind, variant % 2 == 1, variant % 3 == 0 ? Place{} : Place{4, 7});
      ++variant;
    }
  }
}

} // namespace

TEST(triangular_and_cholesky_solve_f32) { check_all<float>(); }
TEST(more_columns_than_are_solved_at_once) { check_solve<float>(6, 32800, Solve::both, true, {}, 2); }
TEST(triangular_and_cholesky_solve_f64) { check_all<double>(); }

CHECK_MAIN();
