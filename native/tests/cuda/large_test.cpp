// Products at the sizes at which a Hopper GPU takes its own path (src/cuda/gemm_hopper.cu), which the shim has not:
// large tiles and their edges, ranges of long sums, strips of packed columns, one triangle. Entries drawn at random, and
// those at the corners of y, against sums in double; with and without that path. On a GPU, F2I_TEST_LARGE=1 gives the sizes
// meant; else all are an eighth, which only shows that this program is right.
#include "../halves.hpp"

using namespace engine;

namespace {

int64_t scaled(int64_t extent) {
  static const bool large = std::getenv("F2I_TEST_LARGE") != nullptr;
  return large ? extent : extent / 8;
}

/// Rows and columns of entries that are looked at.
std::vector<std::pair<int64_t, int64_t>> some_entries(int64_t m, int64_t n) {
  std::vector<std::pair<int64_t, int64_t>> entries;
  for (const int64_t i : {int64_t{0}, m / 2, m - 1}) {
    for (const int64_t j : {int64_t{0}, n / 2, n - 1}) entries.push_back({i, j});
  }
  std::mt19937 generator(9);
  while (entries.size() < 3000) {
    const auto i = static_cast<int64_t>(generator() % static_cast<uint64_t>(m)), j = static_cast<int64_t>(generator() % static_cast<uint64_t>(n));
    entries.push_back({i, j});
  }
  return entries;
}

/// Both ways of a device: its own, and that of older ones.
template <class F> void both_ways(const F &f) {
  for (const char *const hopper : {"1", "0"}) {
    setenv("F2I_CUDA_HOPPER", hopper, 1);
    f(std::string(" F2I_CUDA_HOPPER=") + hopper);
  }
  unsetenv("F2I_CUDA_HOPPER");
}

struct Case {
  int64_t m, n, k;
  f2i_dtype a, b;
  f2i_precision precision;
  bool trans_a, trans_b, aligned;
};

void check_case(const Case &full) {
  Case s = full;
  s.m = scaled(s.m), s.n = scaled(s.n), s.k = scaled(s.k);
  const auto place = [&](int64_t cols) { return s.aligned ? Place{(8 - cols % 8) % 8, 8} : Place{3, 5}; };
  const int64_t a_cols = s.trans_a ? s.m : s.k, b_cols = s.trans_b ? s.k : s.n;
  const Operand a(s.a, s.trans_a ? s.k : s.m, a_cols, place(a_cols), 1), b(s.b, s.trans_b ? s.n : s.k, b_cols, place(b_cols), 2);
  const Matrix<float> bias = Matrix<float>(1, s.n).random(3);
  const f2i_precision precision = effective(s.precision, s.a, s.b);
  const auto entries = some_entries(s.m, s.n);
  std::vector<double> expected, scale;
  for (const auto &[i, j] : entries) {
    double sum = static_cast<double>(bias(0, j)), size = std::abs(sum);
    for (int64_t p = 0; p < s.k; ++p) {
      const double term = rounded_to(precision, static_cast<double>(s.trans_a ? a.values(p, i) : a.values(i, p))) *
                          rounded_to(precision, static_cast<double>(s.trans_b ? b.values(j, p) : b.values(p, j)));
      sum += term;
      size += std::abs(term);
    }
    expected.push_back(sum);
    scale.push_back(size);
  }
  both_ways([&](const std::string &way) {
    const Engine engine(F2I_ISA_AUTO, 2, 0, s.precision);
    const OnDevice da(engine, a), db(engine, b);
    const Device<float> dbias(engine, bias), dy(engine, Matrix<float>(s.m, s.n, {1, 3}));
    f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
    args.trans_a = s.trans_a, args.trans_b = s.trans_b, args.alpha = 1;
    args.a = da.view(), args.b = db.view(), args.bias = dbias, args.y = dy;
    ok(f2i_gemm(engine, &args));
    const Matrix<float> y = dy.download();
    std::vector<float> found;
    for (const auto &[i, j] : entries) found.push_back(y(i, j));
    const std::string wrong = compare(found, expected, epsilon<float> * (4 + std::sqrt(static_cast<double>(s.k))), scale);
    check::report(wrong.empty(), __FILE__, __LINE__,
                  std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k) + " types " + std::to_string(s.a) +
                      ", " + std::to_string(s.b) + " precision " + std::to_string(s.precision) + way + ": " + wrong);
  });
}

} // namespace

TEST(products_of_f32_at_every_precision) {
  for (const f2i_precision precision : {F2I_PRECISION_F32, F2I_PRECISION_TF32, F2I_PRECISION_BF16, F2I_PRECISION_F16}) {
    check_case({700, 1100, 900, F2I_F32, F2I_F32, precision, false, true, true});
    check_case({530, 520, 1111, F2I_F32, F2I_F32, precision, true, false, false});
  }
}

TEST(products_of_halves) {
  for (const f2i_dtype half : {F2I_BF16, F2I_F16}) {
    check_case({700, 1100, 904, half, half, F2I_PRECISION_F32, false, true, true});   // as they lie
    check_case({300, 2056, 1000, half, half, F2I_PRECISION_F32, false, false, true}); // b across
    check_case({640, 777, 600, half, half, F2I_PRECISION_F32, true, false, false});   // packed
    check_case({640, 777, 600, F2I_F32, half, F2I_PRECISION_BF16, false, true, true});
  }
}

TEST(long_sums_in_ranges) {
  check_case({520, 512, 16000, F2I_F32, F2I_F32, F2I_PRECISION_F32, false, true, true});
  check_case({200, 300, 16000, F2I_BF16, F2I_BF16, F2I_PRECISION_F32, false, true, true});
}

TEST(strips_of_packed_columns) { check_case({520, 2500, 16400, F2I_F32, F2I_F32, F2I_PRECISION_F32, false, false, true}); }

TEST(one_triangle) {
  const int64_t n = scaled(1300), k = scaled(2000);
  const Matrix<float> x = Matrix<float>(n, k).random(1);
  both_ways([&](const std::string &way) {
    const Engine engine;
    const Device<float> dx(engine, x), dy(engine, Matrix<float>(n, n));
    f2i_gram_args args = F2I_INIT(f2i_gram_args);
    args.alpha = 0.5, args.x = dx, args.y = dy;
    ok(f2i_gram(engine, &args));
    const Matrix<float> y = dy.download();
    std::vector<float> found;
    std::vector<double> expected, scale;
    for (const auto &[i, j] : some_entries(n, n)) {
      double sum = 0, size = 0;
      for (int64_t p = 0; p < k; ++p) {
        const double term = 0.5 * static_cast<double>(x(i, p)) * static_cast<double>(x(j, p));
        sum += term, size += std::abs(term);
      }
      found.push_back(y(i, j)), expected.push_back(sum), scale.push_back(size);
      CHECK(std::memcmp(&y.memory[static_cast<size_t>(i * n + j)], &y.memory[static_cast<size_t>(j * n + i)], 4) == 0);
    }
    const std::string wrong = compare(found, expected, epsilon<float> * (4 + std::sqrt(static_cast<double>(k)) / 4), scale);
    check::report(wrong.empty(), __FILE__, __LINE__, "gram" + way + ": " + wrong);
  });
}

CHECK_MAIN();
