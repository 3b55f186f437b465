// gram through the C ABI against the obvious loops in double.
#include "engine.hpp"

using namespace engine;

namespace {

template <class T> void check_gram(int64_t rows, int64_t cols, bool columns, Place place) {
  const Matrix<T> x = Matrix<T>(rows, cols, place).random(5);
  const int64_t n = columns ? cols : rows, k = columns ? rows : cols;
  const double alpha = 1.0 / static_cast<double>(k);
  const auto at = [&](int64_t i, int64_t p) { return static_cast<double>(columns ? x(p, i) : x(i, p)); };
  std::vector<double> expected, scale;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0, size = 0;
      for (int64_t p = 0; p < k; ++p) {
        sum += at(i, p) * at(j, p);
        size += std::abs(at(i, p) * at(j, p));
      }
      expected.push_back(alpha * sum);
      scale.push_back(alpha * size);
    }
  }
  everywhere<T>(
      "gram " + std::to_string(rows) + "x" + std::to_string(cols) + (columns ? " columns" : " rows"),
      [&](const Engine &engine) {
        const Device<T> dx(engine, x), dy(engine, Matrix<T>(n, n, place));
        f2i_gram_args args = F2I_INIT(f2i_gram_args);
        args.columns = columns;
        args.alpha = alpha;
        args.x = dx;
        args.y = dy;
        ok(f2i_gram(engine, &args));
        return dy.download().elements();
      },
      [&](const std::vector<T> &found) -> std::string {
        for (int64_t i = 0; i < n; ++i) {
          for (int64_t j = 0; j < i; ++j) {
            if (found[static_cast<size_t>(i * n + j)] != found[static_cast<size_t>(j * n + i)]) return "not symmetric";
          }
        }
        return compare(found, expected, epsilon<T> * (4 + std::sqrt(static_cast<double>(k)) / 4), scale);
      });
}

template <class T> void check_all() {
  int variant = 0;
  for (const auto &[rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {1, 9}, {9, 1}, {7, 5}, {31, 70}, {70, 31},
                                   {130, 300}, {300, 130}, {257, 1000}, {1000, 257}, {200, 3}}) {
    for (const bool columns : {false, true}) {
      if (columns ? cols > 300 : rows > 300) continue;
      check_gram<T>(rows, cols, columns, variant++ % 2 == 0 ? Place{} : Place{5, 3});
    }
  }
}

} // namespace

TEST(gram_f32) { check_all<float>(); }
TEST(gram_f64) { check_all<double>(); }

CHECK_MAIN();
