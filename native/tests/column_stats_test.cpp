// column_stats and standardize through the C ABI against loops in double.
#include "engine.hpp"

using namespace engine;

namespace {

struct Statistics {
  std::vector<double> mean, std;
};

/// Two passes in long double.
template <class T> Statistics statistics(const Matrix<T> &x, int ddof) {
  Statistics result;
  for (int64_t j = 0; j < x.cols; ++j) {
    long double sum = 0, squares = 0;
    for (int64_t i = 0; i < x.rows; ++i) sum += x(i, j);
    const long double mean = sum / static_cast<long double>(x.rows);
    for (int64_t i = 0; i < x.rows; ++i) squares += (x(i, j) - mean) * (x(i, j) - mean);
    result.mean.push_back(static_cast<double>(mean));
    result.std.push_back(static_cast<double>(std::sqrt(squares / static_cast<long double>(x.rows - ddof))));
  }
  return result;
}

template <class T> void check_statistics(int64_t rows, int64_t cols, int ddof, double shift, Place place) {
  Matrix<T> x = Matrix<T>(rows, cols, place).random(10, 2, shift);
  if (cols > 2) {
    for (int64_t i = 0; i < rows; ++i) x(i, 1) = static_cast<T>(0.1); // a constant column
  }
  const Statistics expected = statistics(x, ddof);
  std::vector<double> both = expected.mean, scale;
  both.insert(both.end(), expected.std.begin(), expected.std.end());
  for (size_t j = 0; j < both.size(); ++j) scale.push_back(std::abs(shift) + 2 + std::abs(both[j]));
  everywhere<T>(
      "column_stats " + std::to_string(rows) + "x" + std::to_string(cols) + " around " + std::to_string(shift),
      [&](const Engine &engine) {
        const Device<T> dx(engine, x), mean(engine, Matrix<T>(1, cols, place)), std(engine, Matrix<T>(1, cols));
        f2i_column_stats_args args = F2I_INIT(f2i_column_stats_args);
        args.ddof = ddof;
        args.x = dx;
        args.mean = mean;
        args.std = std;
        ok(f2i_column_stats(engine, &args));
        std::vector<T> result = mean.download().elements();
        const std::vector<T> stds = std.download().elements();
        result.insert(result.end(), stds.begin(), stds.end());
        return result;
      },
      [&](const std::vector<T> &found) -> std::string {
        if (cols > 2 && found[static_cast<size_t>(cols + 1)] != 0) return "a constant column has a deviation";
        // Sums are kept in f64, where their rounding shows only in f64 results.
        const double terms = sizeof(T) == 8 ? std::sqrt(static_cast<double>(rows)) : 0;
        return compare(found, both, (4 + terms) * epsilon<T>, scale);
      });
}

template <class T> void check_standardize(int64_t rows, int64_t cols, bool in_place, bool with_mean, bool with_std) {
  const Place place{2, 3};
  const Matrix<T> x = Matrix<T>(rows, cols, place).random(11, 3, 5), mean = Matrix<T>(1, cols).random(12, 1, 5);
  Matrix<T> std = Matrix<T>(1, cols).random(13, 0.1, 3);
  std(0, cols / 2) = 0;
  std::vector<double> expected, scale;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) {
      const double m = with_mean ? mean(0, j) : 0, s = with_std ? std(0, j) : 1;
      expected.push_back(s == 0 ? 0 : (x(i, j) - m) / s);
      scale.push_back(s == 0 ? 1e-30 : (std::abs(static_cast<double>(x(i, j))) + std::abs(m)) / s);
    }
  }
  everywhere<T>(
      "standardize " + std::to_string(rows) + "x" + std::to_string(cols),
      [&](const Engine &engine) {
        const Device<T> dx(engine, x), dmean(engine, mean), dstd(engine, std), dy(engine, Matrix<T>(rows, cols));
        const Device<T> &target = in_place ? dx : dy;
        f2i_standardize_args args = F2I_INIT(f2i_standardize_args);
        args.x = dx;
        if (with_mean) args.mean = dmean;
        if (with_std) args.std = dstd;
        args.y = target;
        ok(f2i_standardize(engine, &args));
        return target.download().elements();
      },
      [&](const std::vector<T> &found) { return compare(found, expected, 3 * epsilon<T>, scale); });
}

template <class T> void check_all() {
  int variant = 0;
  for (const auto &[rows, cols] : {std::pair<int64_t, int64_t>{2, 1}, {5, 3}, {33, 17}, {100, 257}, {9000, 5}, {3, 5000}}) {
    for (const double shift : {0.0, 1000.0}) {
      check_statistics<T>(rows, cols, variant % 2, shift, variant % 3 == 0 ? Place{} : Place{4, 3});
      ++variant;
    }
    check_standardize<T>(rows, cols, variant % 3 == 0, variant % 4 != 0, variant % 4 != 1);
  }
  check_statistics<T>(1, 9, 0, 3, {});
}

} // namespace

TEST(column_stats_f32) { check_all<float>(); }
TEST(column_stats_f64) { check_all<double>(); }

TEST(either_output_may_be_absent) {
  const Engine engine;
  const Device<double> x(engine, Matrix<double>(10, 4).fill(2)), y(engine, Matrix<double>(1, 4));
  f2i_column_stats_args args = F2I_INIT(f2i_column_stats_args);
  args.x = x;
  args.mean = y;
  ok(f2i_column_stats(engine, &args));
  CHECK_EQUAL(y.download()(0, 3), 2.0);
  args.mean = {};
  args.std = y;
  ok(f2i_column_stats(engine, &args));
  CHECK_EQUAL(y.download()(0, 3), 0.0);
}

TEST(a_nan_stays_in_its_column) {
  const Engine engine;
  Matrix<float> host(20, 8);
  host.random(1)(7, 3) = std::numeric_limits<float>::quiet_NaN();
  const Device<float> x(engine, host), mean(engine, Matrix<float>(1, 8)), std(engine, Matrix<float>(1, 8));
  f2i_column_stats_args args = F2I_INIT(f2i_column_stats_args);
  args.x = x;
  args.mean = mean;
  args.std = std;
  ok(f2i_column_stats(engine, &args));
  const auto means = mean.download(), stds = std.download();
  for (int64_t j = 0; j < 8; ++j) {
    CHECK_EQUAL(std::isnan(means(0, j)), j == 3);
    CHECK_EQUAL(std::isnan(stds(0, j)), j == 3);
  }
}

CHECK_MAIN();
