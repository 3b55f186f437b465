// Products of operands of half precision, and precisions of products of f32: what is computed is the product of the
// rounded operands, to the accuracy of sums of f32. The CPU, and devices without tensor cores of these types, round nothing.
#include "halves.hpp"

using namespace engine;

namespace {

struct Case {
  int64_t m, n, k, batch = 1;
};
/// One tile of each shape (wide, tall, square, two wide ones), its edges, sums in ranges.
const Case cases[] = {{9, 300, 70}, {200, 33, 90}, {131, 133, 100}, {200, 520, 67}, {70, 90, 1100}};
enum class Rows { odd, aligned };

void check_gemm(const Case &s, f2i_dtype a_type, f2i_dtype b_type, f2i_precision wanted, bool trans_a, bool trans_b, Rows rows) {
  const auto place = [&](int64_t cols, int offset) { return rows == Rows::odd ? Place{3, 5 + offset} : Place{16 - cols % 8, 8}; };
  const int64_t a_cols = trans_a ? s.m : s.k, b_cols = trans_b ? s.k : s.n;
  const int64_t a_rows = trans_a ? s.k : s.m, b_rows = trans_b ? s.n : s.k; // of a plane
  const Operand a(a_type, s.batch * a_rows, a_cols, place(a_cols, 0), 1), b(b_type, s.batch * b_rows, b_cols, place(b_cols, 2), 2);
  const Matrix<float> c = Matrix<float>(s.batch * s.m, s.n, {1, 2}).random(3);
  const f2i_precision precision = effective(wanted, a_type, b_type);
  std::vector<double> expected, scale;
  double effect = 0; // of rounding
  for (int64_t row = 0; row < s.batch * s.m; ++row) {
    const int64_t i = row % s.m, a0 = row / s.m * a_rows, b0 = row / s.m * b_rows;
    for (int64_t j = 0; j < s.n; ++j) {
      double sum = 0, exact = 0, size = 0;
      for (int64_t p = 0; p < s.k; ++p) {
        const auto x = static_cast<double>(trans_a ? a.values(a0 + p, i) : a.values(a0 + i, p));
        const auto y = static_cast<double>(trans_b ? b.values(b0 + j, p) : b.values(b0 + p, j));
        sum += rounded_to(precision, x) * rounded_to(precision, y);
        exact += x * y;
        size += std::abs(x * y);
      }
      expected.push_back(0.5 * sum - static_cast<double>(c(row, j)));
      scale.push_back(size + std::abs(static_cast<double>(c(row, j))));
      effect = std::max(effect, std::abs(sum - exact) / size);
    }
  }
  // Tensor cores cut sums off once in 8 terms: below the size of the terms by far, as terms have both signs.
  const double tolerance = epsilon<float> * (4 + std::sqrt(static_cast<double>(s.k)));
  if (precision != F2I_PRECISION_F32) CHECK(effect > 2 * tolerance); // or this test shows nothing
  const std::string what = "gemm " + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k) + " types " +
                           std::to_string(a_type) + ", " + std::to_string(b_type) + " precision " + std::to_string(wanted) +
                           (trans_a ? " a^T" : "") + (trans_b ? " b^T" : "") + (rows == Rows::odd ? " odd" : " aligned") +
                           (s.batch > 1 ? ", " + std::to_string(s.batch) + " planes" : "");
  everywhere<float>(
      what,
      [&](const Engine &like) {
        const Engine engine(like.info().isa, like.info().threads, 0, wanted);
        const OnDevice da(engine, a), db(engine, b);
        const Device<float> dc(engine, c), dy(engine, Matrix<float>(s.batch * s.m, s.n, {2, 1}));
        f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
        args.trans_a = trans_a;
        args.trans_b = trans_b;
        args.batch = s.batch;
        args.alpha = 0.5;
        args.beta = -1;
        args.a = da.view();
        args.b = db.view();
        args.c = dc;
        args.y = dy;
        ok(f2i_gemm(engine, &args));
        return dy.download().elements();
      },
      [&](const std::vector<float> &found) { return compare(found, expected, tolerance, scale); });
}

} // namespace

TEST(precisions_of_f32) {
  int variant = 0;
  for (const Case &s : cases) {
    for (const f2i_precision precision : {F2I_PRECISION_TF32, F2I_PRECISION_BF16, F2I_PRECISION_F16}) {
      check_gemm(s, F2I_F32, F2I_F32, precision, variant & 1, variant >> 1 & 1, variant % 3 == 0 ? Rows::odd : Rows::aligned);
      ++variant;
    }
  }
}

TEST(operands_of_half_precision) {
  int variant = 0;
  for (const Case &s : cases) {
    for (const f2i_dtype type : {F2I_F16, F2I_BF16}) {
      check_gemm(s, type, type, F2I_PRECISION_F32, variant & 1, variant >> 1 & 1, Rows::odd);
      check_gemm(s, type, type, F2I_PRECISION_F32, false, true, Rows::aligned);
      variant += 3;
    }
  }
}

TEST(operands_of_two_types) {
  const Case s{131, 133, 100};
  check_gemm(s, F2I_F32, F2I_BF16, F2I_PRECISION_F32, false, false, Rows::aligned);
  check_gemm(s, F2I_F16, F2I_F32, F2I_PRECISION_F32, true, false, Rows::odd);
  check_gemm(s, F2I_F16, F2I_BF16, F2I_PRECISION_F16, false, true, Rows::aligned);
  check_gemm(s, F2I_F32, F2I_BF16, F2I_PRECISION_F16, false, true, Rows::aligned);
  check_gemm(s, F2I_F16, F2I_F32, F2I_PRECISION_BF16, true, true, Rows::odd);
  check_gemm(s, F2I_F32, F2I_F16, F2I_PRECISION_TF32, false, true, Rows::aligned);
}

TEST(planes_of_a_batch) {
  const Case small{52, 40, 70, 3}, ragged{70, 90, 40, 2}, long_sums{40, 50, 1100, 2}; // a tile of their own, one of all, ranges
  int variant = 0;
  for (const f2i_precision precision : {F2I_PRECISION_TF32, F2I_PRECISION_BF16, F2I_PRECISION_F16}) {
    check_gemm(small, F2I_F32, F2I_F32, precision, variant & 1, variant >> 1 & 1, variant == 1 ? Rows::odd : Rows::aligned);
    check_gemm(long_sums, F2I_F32, F2I_F32, precision, false, variant & 1, Rows::aligned);
    ++variant;
  }
  for (const f2i_dtype type : {F2I_F16, F2I_BF16}) {
    check_gemm(ragged, type, type, F2I_PRECISION_F32, false, true, Rows::aligned); // multiplied as they lie
    check_gemm(ragged, type, type, F2I_PRECISION_F32, false, false, Rows::aligned);
    check_gemm(small, type, type, F2I_PRECISION_F32, true, false, Rows::odd);
  }
  check_gemm(small, F2I_F32, F2I_BF16, F2I_PRECISION_BF16, false, true, Rows::aligned);
}

/// Planes that fill a GPU each are products one after the other, whose packed operands take the same place.
TEST(large_planes_take_the_memory_of_one) {
  if (test_device() != F2I_DEVICE_CUDA) return;
  const int64_t m = 384, k = 16, planes = 3;
  const Engine engine(F2I_ISA_AUTO, 1, 0, F2I_PRECISION_BF16);
  const Device<float> a(engine, Matrix<float>(planes * m, k).random(1)), b(engine, Matrix<float>(planes * k, m).random(2));
  const Device<float> y(engine, Matrix<float>(planes * m, m));
  uint64_t peaks[2] = {};
  for (const bool all : {false, true}) {
    f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
    args.batch = all ? planes : 1;
    args.alpha = 1;
    args.a = a;
    args.b = b;
    args.y = y;
    if (!all) args.a.rows = args.y.rows = m, args.b.rows = k;
    ok(f2i_gemm(engine, &args));
    CHECK_EQUAL(engine.sync().status, F2I_OK);
    peaks[all] = engine.info().peak_bytes;
  }
  CHECK_EQUAL(peaks[1], peaks[0]);
}

TEST(linear_and_conv2d_follow) {
  const int64_t m = 20, n = 36, k = 48;
  const Matrix<float> x = Matrix<float>(m, k).random(1), w = Matrix<float>(n, k).random(2), pixels = Matrix<float>(k, n).random(3);
  const auto products = [&](f2i_precision precision) { // by gemm, linear, and conv2d of 1 x 1 and its gemm
    const Engine engine(F2I_ISA_AUTO, 2, 0, precision);
    const Device<float> dx(engine, x), dw(engine, w), dp(engine, pixels), dy(engine, Matrix<float>(m, n));
    const f2i_matrix weight = dw;
    std::vector<std::vector<float>> results;
    f2i_gemm_args gemm = F2I_INIT(f2i_gemm_args);
    gemm.alpha = 1, gemm.trans_b = 1, gemm.a = dx, gemm.b = dw, gemm.y = dy;
    ok(f2i_gemm(engine, &gemm));
    results.push_back(dy.download().elements());
    f2i_linear_args linear = F2I_INIT(f2i_linear_args);
    linear.shards = 1, linear.w = &weight, linear.x = dx, linear.y = dy;
    ok(f2i_linear(engine, &linear));
    results.push_back(dy.download().elements());
    gemm.trans_b = 0, gemm.b = dp;
    ok(f2i_gemm(engine, &gemm));
    results.push_back(dy.download().elements());
    f2i_conv2d_args conv = F2I_INIT(f2i_conv2d_args);
    conv.batch = 1, conv.channels = k, conv.height = 6, conv.kernel_height = conv.kernel_width = 1;
    conv.stride = 1, conv.groups = 1, conv.x = dp, conv.w = dx, conv.y = dy;
    conv.x.rows = 6 * k, conv.x.cols = conv.x.ld = 6;
    ok(f2i_conv2d(engine, &conv));
    results.push_back(dy.download().elements());
    return results;
  };
  const auto exact = products(F2I_PRECISION_F32);
  for (const f2i_precision precision : {F2I_PRECISION_TF32, F2I_PRECISION_BF16, F2I_PRECISION_F16}) {
    const auto found = products(precision);
    CHECK_EQUAL(found[0] == exact[0], !rounds());
    if (rounds()) CHECK(found[1] == found[0]);
    CHECK_EQUAL(found[2] == exact[2], !rounds());
    if (rounds()) CHECK(found[3] == found[2]);
  }
}

TEST(f64_and_decisive_products_are_never_rounded) {
  const Engine exact, rounding(F2I_ISA_AUTO, 2, 0, F2I_PRECISION_BF16);
  const auto gram = [](const Engine &engine) {
    const Device<float> x(engine, Matrix<float>(20, 31).random(1)), y(engine, Matrix<float>(20, 20));
    f2i_gram_args args = F2I_INIT(f2i_gram_args);
    args.alpha = 1, args.x = x, args.y = y;
    ok(f2i_gram(engine, &args));
    return y.download().elements();
  };
  CHECK(gram(exact) == gram(rounding));
  const auto product = [](const Engine &engine) {
    const Device<double> x(engine, Matrix<double>(20, 31).random(1)), y(engine, Matrix<double>(20, 20));
    f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
    args.alpha = 1, args.trans_b = 1, args.a = args.b = x, args.y = y;
    ok(f2i_gemm(engine, &args));
    return y.download().elements();
  };
  CHECK(product(exact) == product(rounding));
}

TEST(an_unknown_precision_is_refused) {
  f2i_context_desc desc = F2I_INIT(f2i_context_desc);
  desc.abi_version = F2I_ABI_VERSION;
  desc.precision = 4;
  f2i_context *context = nullptr;
  CHECK_EQUAL(f2i_context_create(&desc, &context), F2I_INVALID_ARGUMENT);
  CHECK_CONTAINS(f2i_last_error(nullptr), "precision: expected 0 to 3, found 4");
}

CHECK_MAIN();
