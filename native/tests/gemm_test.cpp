// gemm through the C ABI against the obvious loops in double.
#include "engine.hpp"

using namespace engine;

namespace {

struct Case {
  int64_t m, n, k;
};

// Single elements, single rows and columns, sizes around every tile of the
// kernels, long sums, and products large enough to be cut among threads.
const Case cases[] = {{1, 1, 1},    {1, 7, 5},     {5, 1, 3},      {3, 4, 1},      {13, 17, 9},
                      {16, 64, 32}, {33, 65, 129}, {100, 31, 300}, {7, 130, 1100}, {257, 190, 70},
                      {1, 300, 400}, {290, 1, 310}, {150, 260, 515}};

/// aligned: rows begin at multiples of four entries, as devices like them.
template <class T> void check_gemm(const Case &s, bool trans_a, bool trans_b, int variant, bool aligned = false) {
  const bool with_c = variant % 3 != 0, in_place = variant % 3 == 2, with_bias = variant % 2 == 1;
  const double alpha = variant % 4 == 0 ? 1 : -0.75, beta = !with_c ? 0 : variant % 5 == 0 ? 1 : 0.5;
  const Place places[] = {{0, 0}, {3, 5}, {16, 0}, {1, 2}};
  const auto place = [&](int i) { return places[(variant + i) % 4]; };
  const auto place_of = [&](int i, int64_t cols) { return aligned ? Place{4 + (4 - cols % 4) % 4, 8} : place(i); };
  const int64_t a_cols = trans_a ? s.m : s.k, b_cols = trans_b ? s.k : s.n;
  const Matrix<T> a = Matrix<T>(trans_a ? s.k : s.m, a_cols, place_of(0, a_cols)).random(1);
  const Matrix<T> b = Matrix<T>(trans_b ? s.n : s.k, b_cols, place_of(1, b_cols)).random(2);
  const Matrix<T> c = Matrix<T>(s.m, s.n, place(2)).random(3);
  const Matrix<T> bias = Matrix<T>(1, s.n, place(3)).random(4);

  std::vector<double> expected, scale;
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = 0; j < s.n; ++j) {
      double sum = 0, size = 0;
      for (int64_t p = 0; p < s.k; ++p) {
        const double term = static_cast<double>(trans_a ? a(p, i) : a(i, p)) * (trans_b ? b(j, p) : b(p, j));
        sum += term;
        size += std::abs(term);
      }
      double value = alpha * sum;
      size *= std::abs(alpha);
      if (with_c) value += beta * c(i, j), size += std::abs(beta * c(i, j));
      if (with_bias) value += bias(0, j), size += std::abs(static_cast<double>(bias(0, j)));
      expected.push_back(value);
      scale.push_back(size);
    }
  }
  const std::string what = std::string("gemm ") + (sizeof(T) == 4 ? "f32 " : "f64 ") + std::to_string(s.m) + "x" +
                           std::to_string(s.n) + "x" + std::to_string(s.k) + (trans_a ? " a^T" : "") +
                           (trans_b ? " b^T" : "") + (with_c ? " +c" : "") + (in_place ? " in place" : "") +
                           (with_bias ? " +bias" : "");
  everywhere<T>(
      what,
      [&](const Engine &engine) {
        const Device<T> da(engine, a), db(engine, b), dc(engine, c), dbias(engine, bias),
            dy(engine, Matrix<T>(s.m, s.n, place(1)));
        f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
        args.trans_a = trans_a;
        args.trans_b = trans_b;
        args.alpha = alpha;
        args.beta = beta;
        args.a = da;
        args.b = db;
        if (with_c) args.c = dc;
        if (with_bias) args.bias = dbias;
        args.y = in_place ? dc : dy;
        ok(f2i_gemm(engine, &args));
        return (in_place ? dc : dy).download().elements();
      },
      [&](const std::vector<T> &found) {
        return compare(found, expected, epsilon<T> * (4 + std::sqrt(static_cast<double>(s.k)) / 4), scale);
      });
}

template <class T> void check_all() {
  int variant = 0;
  for (const Case &s : cases) {
    for (int transposes = 0; transposes < 4; ++transposes) {
      check_gemm<T>(s, transposes & 1, transposes >> 1, variant++);
    }
  }
}

/// One element of a product whose operands hold `special` in one row of a.
template <class T> std::vector<T> row_with(T special, double beta, T c_value) {
  const Engine engine;
  Matrix<T> a(3, 40), b(40, 5), c(3, 5);
  a.random(1)(1, 20) = special;
  b.fill(1);
  c.fill(c_value);
  const Device<T> da(engine, a), db(engine, b), dc(engine, c);
  f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
  args.alpha = 1;
  args.beta = beta;
  args.a = da;
  args.b = db;
  args.c = args.y = dc;
  ok(f2i_gemm(engine, &args));
  return dc.download().elements();
}

} // namespace

TEST(gemm_f32) { check_all<float>(); }
TEST(gemm_f64) { check_all<double>(); }
TEST(gemm_of_aligned_rows) {
  int variant = 0;
  for (int transposes = 0; transposes < 4; ++transposes) {
    check_gemm<float>({5, 7, 3}, transposes & 1, transposes >> 1, variant++, true);
    check_gemm<float>({131, 133, 90}, transposes & 1, transposes >> 1, variant++, true);
  }
}

TEST(special_values_go_where_they_belong) {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const auto infinite = row_with<double>(infinity, 0, 0), undefined = row_with<double>(nan, 0, 0);
  for (size_t i = 0; i < 15; ++i) {
    const bool in_row = i / 5 == 1;
    CHECK_EQUAL(std::isinf(infinite[i]), in_row);
    CHECK_EQUAL(std::isnan(undefined[i]), in_row);
  }
  // In f32, too, where a device may add up parts of numbers; sums of large numbers do not overflow before they end.
  const auto infinite_f32 = row_with<float>(std::numeric_limits<float>::infinity(), 0, 0);
  const auto largest_f32 = row_with<float>(std::numeric_limits<float>::max(), 0, 0);
  for (size_t i = 0; i < 15; ++i) {
    CHECK_EQUAL(std::isinf(infinite_f32[i]) && infinite_f32[i] > 0, i / 5 == 1);
    CHECK_EQUAL(largest_f32[i] == std::numeric_limits<float>::max(), i / 5 == 1);
  }
  // beta = 0: c is not read, as in BLAS; it may be uninitialised.
  for (const float value : row_with<float>(0, 0, std::numeric_limits<float>::quiet_NaN())) CHECK(!std::isnan(value));
}

TEST(a_sum_of_no_terms_is_zero) {
  const Engine engine;
  const Device<double> a(engine, Matrix<double>(2, 1)), c(engine, Matrix<double>(2, 3).fill(5));
  f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
  args.alpha = 1;
  args.beta = 2;
  args.a = a, args.b = a;
  args.a.cols = 0, args.b.rows = 0, args.b.cols = args.b.ld = 3;
  args.c = args.y = c;
  ok(f2i_gemm(engine, &args));
  for (const double value : c.download().elements()) CHECK_EQUAL(value, 10.0);
}

CHECK_MAIN();
