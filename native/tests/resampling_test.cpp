// resize2d and adaptive_max_pool1d through the C ABI against plain loops in double.
#include "engine.hpp"

using namespace engine;

namespace {

/// Random taps inside of `inputs` positions; every third weight is 0.
struct Axis {
  std::vector<int32_t> first;
  std::vector<double> weights;
  int32_t outputs, count;

  Axis(int32_t inputs, int32_t to, int32_t taps, unsigned seed) : outputs(to), count(taps) {
    std::mt19937_64 generator(seed);
    std::normal_distribution<double> normal;
    for (int32_t i = 0; i < to; ++i) first.push_back(static_cast<int32_t>(generator() % static_cast<uint64_t>(inputs - taps + 1)));
    for (int32_t i = 0; i < to * taps; ++i) weights.push_back(i % 3 == 1 ? 0 : normal(generator));
  }
  f2i_taps view() const { return {outputs, count, first.data(), weights.data()}; }
};

template <class T> void check_resize(int64_t pictures, int32_t h, int32_t w, const Axis &rows, const Axis &columns) {
  Matrix<T> x = Matrix<T>(pictures * h, w, {3, 2}).random(1);
  x(h / 2, w / 2) = std::numeric_limits<T>::quiet_NaN(); // reaches whom a weight lets it
  std::vector<double> expected, scale;
  for (int64_t i = 0; i < pictures * rows.outputs; ++i) {
    for (int64_t j = 0; j < columns.outputs; ++j) {
      const int64_t out = i % rows.outputs, top = i / rows.outputs * h + rows.first[static_cast<size_t>(out)];
      double sum = 0, size = 0;
      for (int64_t p = 0; p < rows.count; ++p) {
        for (int64_t q = 0; q < columns.count; ++q) {
          const double weight = rows.weights[static_cast<size_t>(out * rows.count + p)] *
                                columns.weights[static_cast<size_t>(j * columns.count + q)];
          if (weight == 0) continue;
          const double term = weight * static_cast<double>(x(top + p, columns.first[static_cast<size_t>(j)] + q));
          sum += term;
          size += std::abs(term);
        }
      }
      expected.push_back(sum);
      scale.push_back(std::isnan(size) ? 1 : std::max(size, 1e-30));
    }
  }
  everywhere<T>(
      "resize2d " + std::to_string(h) + "x" + std::to_string(w) + " to " + std::to_string(rows.outputs) + "x" +
          std::to_string(columns.outputs),
      [&](const Engine &engine) {
        const Device<T> dx(engine, x), dy(engine, Matrix<T>(pictures * rows.outputs, columns.outputs, {1, 5}));
        f2i_resize2d_args args = F2I_INIT(f2i_resize2d_args);
        args.height = h;
        {
          const Axis copy_of_rows = rows, copy_of_columns = columns; // gone before the op runs, at times
          args.rows = copy_of_rows.view(), args.columns = copy_of_columns.view();
          args.x = dx, args.y = dy;
          ok(f2i_resize2d(engine, &args));
        }
        return dy.download().elements();
      },
      [&](const std::vector<T> &found) { return compare(found, expected, 8 * epsilon<T>, scale); });
}

template <class T> void check_pool(int64_t rows, int64_t n, int64_t size) {
  Matrix<T> x = Matrix<T>(rows, n, {2, 3}).random(static_cast<unsigned>(n + size), 3, -9);
  x(rows - 1, n / 3) = std::numeric_limits<T>::quiet_NaN();
  x(0, n - 1) = -std::numeric_limits<T>::infinity();
  if (n > 1024) x(0, 1024) = 1000; // the first of what is turned next
  std::vector<double> expected;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < size; ++j) {
      const auto first = static_cast<int64_t>(std::floor(static_cast<double>(j * n) / static_cast<double>(size)));
      const auto end = static_cast<int64_t>(std::ceil(static_cast<double>((j + 1) * n) / static_cast<double>(size)));
      double most = -INFINITY;
      for (int64_t p = first; p < end; ++p) most = x(i, p) > most || std::isnan(x(i, p)) ? static_cast<double>(x(i, p)) : most;
      expected.push_back(most);
    }
  }
  everywhere<T>(
      "adaptive_max_pool1d " + std::to_string(rows) + "x" + std::to_string(n) + " to " + std::to_string(size),
      [&](const Engine &engine) {
        const Device<T> dx(engine, x), dy(engine, Matrix<T>(rows, size, {1, 4}));
        f2i_adaptive_max_pool1d_args args = F2I_INIT(f2i_adaptive_max_pool1d_args);
        args.x = dx, args.y = dy;
        ok(f2i_adaptive_max_pool1d(engine, &args));
        return dy.download().elements();
      },
      [&](const std::vector<T> &found) { return compare(found, expected, 0); });
}

} // namespace

TEST(resize2d_applies_taps) {
  // Widths below, at and beside whole vectors of every instruction set; blocks of rows that are not full.
  for (const int32_t w : {1, 3, 16, 37, 70, 129}) {
    check_resize<float>(2, 9, w, {9, 33, 4, 1}, {w, 21, std::min(w, 3), 2});
    check_resize<double>(3, 20, w, {20, 5, 20, 3}, {w, w + 1, std::min(w, 5), 4});
  }
  check_resize<float>(1, 1, 1, {1, 1, 1, 5}, {1, 1, 1, 6});
  check_resize<float>(40, 8, 8, {8, 17, 2, 7}, {8, 17, 2, 8}); // many small pictures
}

TEST(adaptive_max_pool1d_takes_the_largest) {
  check_pool<float>(1, 1, 1);
  check_pool<float>(3, 7, 257);   // values repeat
  check_pool<float>(16, 67, 41);  // windows share values
  check_pool<float>(33, 640, 32); // windows divide
  check_pool<float>(2, 15724, 8192);
  check_pool<float>(5, 5000, 3); // longer than what is turned at once
  check_pool<double>(17, 300, 299);
  check_pool<double>(18, 2500, 1);
}

TEST(bad_arguments_are_named) {
  const Engine engine;
  const Device<float> x(engine, Matrix<float>(8, 6).fill(1)), y(engine, Matrix<float>(6, 9));
  const Axis rows(4, 3, 2, 1), columns(6, 9, 2, 2);
  const auto refuse = [&](auto change, const char *part) {
    f2i_resize2d_args args = F2I_INIT(f2i_resize2d_args);
    args.height = 4, args.rows = rows.view(), args.columns = columns.view(), args.x = x, args.y = y;
    change(args);
    CHECK_EQUAL(f2i_resize2d(engine, &args), F2I_INVALID_ARGUMENT);
    CHECK_CONTAINS(f2i_last_error(engine), part);
  };
  refuse([](auto &args) { args.height = 0; }, "resize2d: height: expected 1 or more, found 0");
  refuse([](auto &args) { args.height = 3; }, "x: rows: expected a multiple of the height 3, found 8");
  refuse([](auto &args) { args.rows.outputs = 0; }, "rows.outputs: expected 1 or more, found 0");
  refuse([](auto &args) { args.rows.count = 5; }, "rows.count: expected 1 to 4, found 5");
  refuse([](auto &args) { args.columns.first = nullptr; }, "columns: expected lists, found NULL");
  refuse([](auto &args) { args.rows.weights = nullptr; }, "rows: expected lists, found NULL");
  const int32_t beyond[] = {0, 3, 0};
  refuse([&](auto &args) { args.rows.first = beyond; }, "rows.first[1]: expected 0 to 2, found 3");
  refuse([](auto &args) { args.rows.outputs = 2; }, "y: shape: expected 4 x 9, found 6 x 9");
  refuse([](auto &args) { args.y.dtype = F2I_F64, args.y.rows = 2; }, "y: dtype: expected f32 as x, found f64");

  f2i_adaptive_max_pool1d_args pool = F2I_INIT(f2i_adaptive_max_pool1d_args);
  pool.x = x, pool.y = y;
  CHECK_EQUAL(f2i_adaptive_max_pool1d(engine, &pool), F2I_INVALID_ARGUMENT);
  CHECK_CONTAINS(f2i_last_error(engine), "adaptive_max_pool1d: y: shape: expected 8 x 9, found 6 x 9");
}

CHECK_MAIN();
