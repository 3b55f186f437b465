// top_k through the C ABI against a stable sort: exactly the same entries.
#include <algorithm>
#include <numeric>

#include "engine.hpp"

using namespace engine;

namespace {

template <class T> void check_top_k(int64_t rows, int64_t cols, int64_t k, bool smallest, Place place) {
  Matrix<T> x = Matrix<T>(rows, cols, place).random(30, 3);
  std::mt19937 generator(31);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) {
      if (i % 3 == 1) x(i, j) = std::round(x(i, j)); // many ties, zeros of both signs
      if (i % 4 == 2 && generator() % 5 == 0) x(i, j) = std::numeric_limits<T>::quiet_NaN();
      if (generator() % 50 == 0) x(i, j) = (generator() % 2 ? 1 : -1) * std::numeric_limits<T>::infinity();
      if (i == 4) x(i, j) = std::numeric_limits<T>::quiet_NaN();
    }
  }
  std::vector<double> expected;
  std::vector<int32_t> order(static_cast<size_t>(cols));
  for (int64_t i = 0; i < rows; ++i) {
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t p, int32_t q) {
      const T a = x(i, p), b = x(i, q);
      if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);
      return smallest ? a < b : a > b;
    });
    for (int64_t rank = 0; rank < k; ++rank) expected.push_back(order[static_cast<size_t>(rank)]);
  }
  everywhere<int32_t>(
      "top_k " + std::to_string(k) + " of " + std::to_string(rows) + "x" + std::to_string(cols) +
          (smallest ? " smallest" : ""),
      [&](const Engine &engine) {
        const Device<T> dx(engine, x), values(engine, Matrix<T>(rows, k, place));
        const Device<int32_t> indices(engine, Matrix<int32_t>(rows, k, place));
        f2i_top_k_args args = F2I_INIT(f2i_top_k_args);
        args.smallest = smallest;
        args.x = dx;
        args.values = values;
        args.indices = indices;
        ok(f2i_top_k(engine, &args));
        const Matrix<T> best = values.download();
        const Matrix<int32_t> where = indices.download();
        for (int64_t i = 0; i < rows; ++i) {
          for (int64_t rank = 0; rank < k; ++rank) {
            const T wanted = x(i, where(i, rank)), found = best(i, rank);
            CHECK(std::memcmp(&wanted, &found, sizeof(T)) == 0 || (std::isnan(wanted) && std::isnan(found)));
          }
        }
        return where.elements();
      },
      [&](const std::vector<int32_t> &found) { return compare(found, expected, 0); });
}

template <class T> void check_all() {
  int variant = 0;
  for (const auto &[rows, cols, k] : {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {7, 5, 5}, {5, 33, 1}, {9, 100, 7},
                                      {6, 1000, 300}, {130, 257, 5}, {2, 140000, 10}, {1, 200001, 1}}) {
    check_top_k<T>(rows, cols, k, variant % 2 == 1, variant % 3 == 0 ? Place{} : Place{3, 2});
    check_top_k<T>(rows, cols, k, variant % 2 == 0, {});
    ++variant;
  }
}

} // namespace

TEST(top_k_f32) { check_all<float>(); }
TEST(top_k_f64) { check_all<double>(); }

CHECK_MAIN();
