// gemm through the C ABI against the obvious loops in double.
#include "engine.hpp"

using namespace engine;

namespace {

struct Case {
  int64_t m, n, k;
  int64_t batch = 1;
  bool shared_b = false, bias_per_plane = false;
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
  const int64_t a_rows = trans_a ? s.k : s.m, b_rows = trans_b ? s.n : s.k; // of a plane
  const int64_t a_cols = trans_a ? s.m : s.k, b_cols = trans_b ? s.k : s.n;
  const Matrix<T> a = Matrix<T>(s.batch * a_rows, a_cols, place_of(0, a_cols)).random(1);
  const Matrix<T> b = Matrix<T>((s.shared_b ? 1 : s.batch) * b_rows, b_cols, place_of(1, b_cols)).random(2);
  const Matrix<T> c = Matrix<T>(s.batch * s.m, s.n, place(2)).random(3);
  const Matrix<T> bias = Matrix<T>(s.bias_per_plane ? s.batch : 1, s.n, place(3)).random(4);

  std::vector<double> expected, scale;
  for (int64_t row = 0; row < s.batch * s.m; ++row) {
    const int64_t plane = row / s.m, i = row % s.m;
    const int64_t a0 = plane * a_rows, b0 = s.shared_b ? 0 : plane * b_rows;
    for (int64_t j = 0; j < s.n; ++j) {
      double sum = 0, size = 0;
      for (int64_t p = 0; p < s.k; ++p) {
        const double term =
            static_cast<double>(trans_a ? a(a0 + p, i) : a(a0 + i, p)) * (trans_b ? b(b0 + j, p) : b(b0 + p, j));
        sum += term;
        size += std::abs(term);
      }
      double value = alpha * sum;
      size *= std::abs(alpha);
      if (with_c) value += beta * c(row, j), size += std::abs(beta * c(row, j));
      if (with_bias) {
        const double added = bias(s.bias_per_plane ? plane : 0, j);
        value += added;
        size += std::abs(added);
      }
      expected.push_back(value);
      scale.push_back(size);
    }
  }
  const std::string what = std::string("gemm ") + (sizeof(T) == 4 ? "f32 " : "f64 ") + std::to_string(s.m) + "x" +
                           std::to_string(s.n) + "x" + std::to_string(s.k) + (trans_a ? " a^T" : "") +
                           (trans_b ? " b^T" : "") + (s.batch != 1 ? ", " + std::to_string(s.batch) + " planes" : "") +
                           (s.shared_b ? " by one b" : "") + (with_c ? " +c" : "") + (in_place ? " in place" : "") +
                           (with_bias ? " +bias" : "");
  everywhere<T>(
      what,
      [&](const Engine &engine) {
        const Device<T> da(engine, a), db(engine, b), dc(engine, c), dbias(engine, bias),
            dy(engine, Matrix<T>(s.batch * s.m, s.n, place(1)));
        f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
        args.trans_a = trans_a;
        args.trans_b = trans_b;
        args.shared_b = s.shared_b;
        args.batch = s.batch;
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

// Few and many planes, fewer and more than threads; single rows and columns, whose sums have ways of their own; planes
// of which a thread has many at a time, and others that all threads share.
const Case batches[] = {{13, 17, 9, 7, false, true}, {5, 7, 40, 2, false, true}, {1, 1, 1, 300},    {1, 67, 33, 5, false, true},
                        {67, 1, 33, 5},              {52, 64, 52, 12},           {3, 5, 0, 2, false, true}};
const Case by_one[] = {{13, 17, 9, 7, true, false}, {33, 65, 129, 3, true, true}, {2, 67, 33, 5, true, false},
                       {67, 2, 33, 5, true, true},  {40, 30, 70, 9, true, false}};

template <class T> void check_batches() {
  const bool device = test_device() != F2I_DEVICE_CPU; // whose kernels know strides alone: each case once
  int variant = 0;
  const auto check_transposes = [&](const Case &s) {
    for (int transposes = 0; transposes < 4; ++transposes, ++variant) {
      if (!device || variant % 5 == 0) check_gemm<T>(s, transposes & 1, transposes >> 1, variant);
    }
  };
  for (const Case &s : batches) check_transposes(s);
  for (const Case &s : by_one) check_transposes(s);
  check_transposes({150, 260, device ? 40 : 515, 2, false, true});
}

/// Planes in one call and one by one: the same bits.
template <class T> void check_planes_alone(const Case &s, bool trans_a) {
  const Matrix<T> a = Matrix<T>(s.batch * (trans_a ? s.k : s.m), trans_a ? s.m : s.k, {3, 5}).random(1);
  const Matrix<T> b = Matrix<T>((s.shared_b ? 1 : s.batch) * s.k, s.n, {1, 2}).random(2);
  const Matrix<T> bias = Matrix<T>(1, s.n).random(3);
  for (f2i_isa isa = F2I_ISA_PORTABLE; isa <= f2i_best_isa(); ++isa) {
    const Engine engine(isa, 3);
    const Device<T> da(engine, a), db(engine, b), dbias(engine, bias), together(engine, Matrix<T>(s.batch * s.m, s.n, {2, 1})),
        alone(engine, Matrix<T>(s.batch * s.m, s.n, {2, 1}));
    f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
    args.trans_a = trans_a, args.shared_b = s.shared_b, args.batch = s.batch, args.alpha = -0.75;
    args.a = da, args.b = db, args.bias = dbias, args.y = together;
    ok(f2i_gemm(engine, &args));
    args.batch = 0, args.shared_b = 0, args.y = alone;
    args.a.rows /= s.batch, args.b.rows = s.k, args.y.rows = s.m;
    for (int64_t plane = 0; plane < s.batch; ++plane) {
      ok(f2i_gemm(engine, &args));
      args.a.offset += static_cast<uint64_t>(args.a.rows * args.a.ld) * sizeof(T);
      if (!s.shared_b) args.b.offset += static_cast<uint64_t>(s.k * args.b.ld) * sizeof(T);
      args.y.offset += static_cast<uint64_t>(s.m * args.y.ld) * sizeof(T);
    }
    const std::vector<T> x = together.download().elements(), y = alone.download().elements();
    check::report(std::memcmp(x.data(), y.data(), x.size() * sizeof(T)) == 0, __FILE__, __LINE__,
                  std::to_string(s.batch) + " planes of " + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" +
                      std::to_string(s.k) + (s.shared_b ? " by one b" : "") + ": other bits than alone, " + name_of(isa));
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

TEST(batches_f32) { check_batches<float>(); }
TEST(batches_f64) { check_batches<double>(); }
TEST(a_plane_has_the_bits_that_it_has_alone) {
  if (test_device() != F2I_DEVICE_CPU) return; // a GPU may cut the sums of a plane that is alone into ranges
  const Case of_all[] = {{1, 40, 700, 5}, {3, 90, 500, 4, true}, {90, 2, 500, 4, true}, {17, 33, 900, 6, true},
                         {31, 29, 77, 9}, {150, 140, 400, 3, true}, {400, 300, 300, 2}, {2, 3, 5, 40}};
  for (const Case &s : of_all) {
    for (const bool trans_a : {false, true}) {
      check_planes_alone<float>(s, trans_a);
      check_planes_alone<double>(s, trans_a);
    }
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
