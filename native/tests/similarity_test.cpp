// pearson_columns and cosine_matrix through the C ABI against loops in double.
#include "engine.hpp"

using namespace engine;

namespace {

template <class T> void check_pearson(int64_t rows, int64_t cols, double shift, Place place) {
  Matrix<T> a = Matrix<T>(rows, cols, place).random(20, 1, shift), b = Matrix<T>(rows, cols).random(21, 1, shift);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) {
      if (j % 3 == 0) b(i, j) = static_cast<T>(0.5 * a(i, j) + 0.3 * b(i, j)); // something to find
      if (j == 1) a(i, j) = static_cast<T>(0.1);                               // no variance
      if (j == 2) b(i, j) = -a(i, j);
    }
  }
  std::vector<double> expected, scale;
  for (int64_t j = 0; j < cols; ++j) {
    long double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
    for (int64_t i = 0; i < rows; ++i) mean_a += a(i, j), mean_b += b(i, j);
    mean_a /= static_cast<long double>(rows), mean_b /= static_cast<long double>(rows);
    for (int64_t i = 0; i < rows; ++i) {
      aa += (a(i, j) - mean_a) * (a(i, j) - mean_a);
      bb += (b(i, j) - mean_b) * (b(i, j) - mean_b);
      ab += (a(i, j) - mean_a) * (b(i, j) - mean_b);
    }
    expected.push_back(j == 1 || aa == 0 || bb == 0 ? 0 : static_cast<double>(ab / std::sqrt(aa * bb)));
    scale.push_back(1 + std::abs(shift));
  }
  everywhere<T>(
      "pearson_columns " + std::to_string(rows) + "x" + std::to_string(cols) + " around " + std::to_string(shift),
      [&](const Engine &engine) {
        const Device<T> da(engine, a), db(engine, b), dy(engine, Matrix<T>(1, cols, place));
        f2i_pearson_columns_args args = F2I_INIT(f2i_pearson_columns_args);
        args.a = da;
        args.b = db;
        args.y = dy;
        ok(f2i_pearson_columns(engine, &args));
        return dy.download().elements();
      },
      [&](const std::vector<T> &found) -> std::string {
        if (cols > 1 && found[1] != 0) return "a constant column correlates";
        for (const T value : found) {
          if (!(std::abs(value) <= 1)) return "a correlation beyond 1";
        }
        // Sums are kept in f64, where their rounding shows only in f64 results.
        const double terms = sizeof(T) == 8 ? std::sqrt(static_cast<double>(rows)) : 0;
        return compare(found, expected, (8 + terms) * epsilon<T>, scale);
      });
}

template <class T> void check_cosine(int64_t n, int64_t m, int64_t d, Place place) {
  Matrix<T> a = Matrix<T>(n, d, place).random(22), b = Matrix<T>(m, d).random(23, 100);
  for (int64_t p = 0; p < d; ++p) {
    if (n > 2) a(1, p) = 0; // a zero row
    if (m > 3) b(3, p) = a(0, p) * 2;
  }
  std::vector<double> expected, scale;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < m; ++j) {
      double aa = 0, bb = 0, ab = 0, size = 0;
      for (int64_t p = 0; p < d; ++p) {
        aa += static_cast<double>(a(i, p)) * a(i, p);
        bb += static_cast<double>(b(j, p)) * b(j, p);
        ab += static_cast<double>(a(i, p)) * b(j, p);
        size += std::abs(static_cast<double>(a(i, p)) * b(j, p));
      }
      const double norms = std::sqrt(aa) * std::sqrt(bb);
      expected.push_back(norms == 0 ? 0 : ab / norms);
      scale.push_back(norms == 0 ? 1e-30 : std::max(size / norms, std::abs(ab / norms)));
    }
  }
  everywhere<T>(
      "cosine_matrix " + std::to_string(n) + "x" + std::to_string(m) + "x" + std::to_string(d),
      [&](const Engine &engine) {
        const Device<T> da(engine, a), db(engine, b), dy(engine, Matrix<T>(n, m, place));
        f2i_cosine_matrix_args args = F2I_INIT(f2i_cosine_matrix_args);
        args.a = da;
        args.b = db;
        args.y = dy;
        ok(f2i_cosine_matrix(engine, &args));
        return dy.download().elements();
      },
      [&](const std::vector<T> &found) {
        return compare(found, expected, epsilon<T> * (6 + std::sqrt(static_cast<double>(d)) / 2), scale);
      });
}

template <class T> void check_all() {
  check_pearson<T>(2, 3, 0, {});
  check_pearson<T>(50, 1, 0, {3, 1});
  check_pearson<T>(100, 257, 0, {});
  check_pearson<T>(100, 65, 100, {5, 2});
  check_pearson<T>(9001, 4, 10, {});
  check_cosine<T>(1, 1, 1, {});
  check_cosine<T>(3, 5, 7, {2, 1});
  check_cosine<T>(64, 33, 130, {});
  check_cosine<T>(200, 170, 260, {4, 4});
  check_cosine<T>(5, 400, 1500, {});
}

} // namespace

TEST(pearson_and_cosine_f32) { check_all<float>(); }
TEST(pearson_and_cosine_f64) { check_all<double>(); }

CHECK_MAIN();
