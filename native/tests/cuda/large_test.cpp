// Products by Hopper's own path (src/cuda/gemm_hopper.cu), at the sizes at which it is taken: large tiles and their edges,
// ranges of long sums, strips of packed columns, one triangle; and each of its kernels at the smallest sizes that reach all
// of it. Entries drawn at random, and those at the corners of y, against sums in double; with that path, twice, and without
// it. On a GPU, F2I_TEST_LARGE=1 gives the sizes meant; else the large ones are an eighth. On the shim the instructions are
// emulated (shim/asynchronous.hpp), early in one of the two times and late in the other.
#include <dlfcn.h>

#include "../halves.hpp"
#include "shim/streams.hpp"

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

/// A device's own way, twice, and that of older ones, or not. f returns y, which both times must be the same.
template <class F> void both_ways(const F &f, bool older = true) {
  std::vector<float> first;
  for (const char *const hopper : {"1", "1", "0"}) { // two after each other: the shim begins them in two orders
    if (*hopper == '0' && !older) continue;
    setenv("F2I_CUDA_HOPPER", hopper, 1);
    const std::vector<float> y = f(std::string(" F2I_CUDA_HOPPER=") + hopper);
    if (first.empty()) first = y;
    else if (*hopper == '1') CHECK(std::memcmp(first.data(), y.data(), y.size() * sizeof(float)) == 0);
  }
  unsetenv("F2I_CUDA_HOPPER");
}

struct Case {
  int64_t m, n, k;
  f2i_dtype a, b;
  f2i_precision precision;
  bool trans_a, trans_b, aligned;
};

void check_case(const Case &s, bool older = false) {
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
    return y.elements();
  }, older);
}
void check_large(Case s) {
  s.m = scaled(s.m), s.n = scaled(s.n), s.k = scaled(s.k);
  check_case(s, true);
}

} // namespace

TEST(each_kernel_at_its_edges) {
  const auto check = [](f2i_dtype type, f2i_precision precision, bool across) {
    check_case({70, 300, 609, type, type, precision, false, !across, true});  // stages come round; a slice ends within
    check_case({300, 530, 100, type, type, precision, false, !across, true}); // more tiles than run at once
    check_case({130, 70, 1100, type, type, precision, false, !across, true}); // ranges
  };
  for (const bool across : {false, true}) {
    check(F2I_BF16, F2I_PRECISION_F32, across);
    check(F2I_F16, F2I_PRECISION_F32, across);
  }
  check(F2I_F32, F2I_PRECISION_TF32, false);
  check(F2I_F32, F2I_PRECISION_F32, false);
}

TEST(products_of_f32_at_every_precision) {
  for (const f2i_precision precision : {F2I_PRECISION_F32, F2I_PRECISION_TF32, F2I_PRECISION_BF16, F2I_PRECISION_F16}) {
    check_large({700, 1100, 900, F2I_F32, F2I_F32, precision, false, true, true});
    check_large({530, 520, 1111, F2I_F32, F2I_F32, precision, true, false, false});
  }
}

TEST(products_of_halves) {
  for (const f2i_dtype half : {F2I_BF16, F2I_F16}) {
    check_large({700, 1100, 904, half, half, F2I_PRECISION_F32, false, true, true});   // as they lie
    check_large({300, 2056, 1000, half, half, F2I_PRECISION_F32, false, false, true}); // b across
    check_large({640, 777, 600, half, half, F2I_PRECISION_F32, true, false, false});   // packed
    check_large({640, 777, 600, F2I_F32, half, F2I_PRECISION_BF16, false, true, true});
  }
}

TEST(long_sums_in_ranges) {
  check_large({520, 512, 16000, F2I_F32, F2I_F32, F2I_PRECISION_F32, false, true, true});
  check_large({200, 300, 16000, F2I_BF16, F2I_BF16, F2I_PRECISION_F32, false, true, true});
}

TEST(strips_of_packed_columns) { check_large({520, 2500, 16400, F2I_F32, F2I_F32, F2I_PRECISION_F32, false, false, true}); }

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
    return y.elements();
  });
}

TEST(a_kernel_that_waits_in_vain_ends) {
  using Entry = const shim::Controls *(*)();
  const char *const path = std::getenv("F2I_CUDA_LIBRARY"), *const hopper = std::getenv("F2I_SHIM_HOPPER");
  void *const library = path != nullptr && hopper != nullptr ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
  const auto controls = library != nullptr ? reinterpret_cast<Entry>(dlsym(library, "f2i_shim_controls")) : nullptr;
  if (controls == nullptr) return (void)std::puts("skipped: not the shim's own Hopper path");
  setenv("F2I_CUDA_HOPPER", "1", 1);
  for (const f2i_precision precision : {F2I_PRECISION_BF16, F2I_PRECISION_F32}) {
    for (int time = 0; time < 2; ++time) {
      const Engine engine(F2I_ISA_AUTO, 1, 0, precision);
      const Device<float> x(engine, Matrix<float>(300, 530).fill(1)), y(engine, Matrix<float>(300, 300));
      f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
      args.trans_b = 1, args.alpha = 1, args.a = x, args.b = x, args.y = y;
      controls()->lose_arrival(40);
      ok(f2i_gemm(engine, &args));
      CHECK_EQUAL(f2i_sync(engine, nullptr), F2I_DEVICE_LOST);
      CHECK_CONTAINS(std::string(f2i_last_error(nullptr)), "waited for its operands in vain");
      controls()->lose_arrival(0);
    }
  }
  unsetenv("F2I_CUDA_HOPPER");
}

CHECK_MAIN();
