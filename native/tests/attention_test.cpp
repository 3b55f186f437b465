// attention through the C ABI against the formula in double: every option, odd lengths and dimensions.
#include "engine.hpp"

#include <memory>

using namespace engine;

namespace {

struct Case {
  int64_t batch, heads, n, m, d, e;
  bool shared, inside, cosine, causal, null_key, mask, bias_batch, bias_heads;
  int bias, null_heads; // 0: none; 1: one null key for all heads
};

// Dimensions of the field (37, 52, 64, 80, 512) and odd ones, fewer and more keys than a block, fewer
// and more queries than a panel and a task.
const Case cases[] = {
    {1, 1, 1, 1, 1, 1, false, false, false, false, false, false, false, false, 0, 0},
    {2, 3, 5, 7, 4, 4, false, false, false, false, false, false, false, false, 1, 0},
    {1, 2, 33, 130, 52, 52, true, true, true, false, true, false, false, true, 1, 0},
    {2, 2, 40, 300, 37, 20, false, true, false, false, false, true, true, false, 1, 0},
    {1, 2, 150, 151, 64, 64, false, false, false, true, false, false, false, false, 0, 0},
    {1, 1, 70, 30, 80, 80, false, false, true, true, true, false, false, false, 0, 0}, // the first see nothing
    {2, 3, 17, 260, 16, 70, true, true, false, true, true, true, true, true, 1, 1},
    {1, 1, 9, 120, 512, 512, false, false, false, false, false, false, false, false, 0, 0},
    {1, 4, 100, 270, 8, 3, true, false, true, false, true, true, false, true, 1, 0},
    {1, 2, 3, 1100, 52, 36, false, true, false, true, true, true, false, true, 1, 1}, // few queries, many keys
    {2, 1, 67, 97, 132, 140, false, false, true, false, true, true, true, true, 1, 0},
};

/// To 8 significant bits, which every precision of products holds.
void shorten(Matrix<float> &x) {
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int64_t j = 0; j < x.cols; ++j) {
      int exponent = 0;
      const float mantissa = std::frexp(x(i, j), &exponent);
      x(i, j) = exponent < -9 ? 0.0f : std::ldexp(std::nearbyint(mantissa * 256), exponent - 8);
    }
  }
}
void shorten(Matrix<double> &) {}

/// Half a unit in the last place of 1: what weights are rounded by.
double rounding_of(f2i_precision precision) {
  return precision == F2I_PRECISION_F32 ? 0 : precision == F2I_PRECISION_BF16 ? 0x1p-8 : 0x1p-11;
}

/// even: rows begin at multiples of 16 bytes where the dimensions allow it. With a precision below that of f32,
/// operands are such that only the weights are rounded.
template <class T>
void check_attention(const Case &c, int variant, bool even, f2i_precision precision = F2I_PRECISION_F32) {
  const Place places[] = {{0, 0}, {3, 5}, {16, 0}, {1, 2}}, even_places[] = {{0, 0}, {16, 0}, {0, 4}, {4, 8}};
  const auto place = [&](int i) { return (even ? even_places : places)[(variant + i) % 4]; };
  const int64_t planes = c.batch * c.heads, all = c.m + (c.null_key ? 1 : 0);
  const double scale = c.cosine ? 16 : 1 / std::sqrt(static_cast<double>(c.d));
  const double infinity = std::numeric_limits<double>::infinity();
  Matrix<T> q = Matrix<T>(planes * c.n, c.d, place(0)).random(1, 1.5);
  Matrix<T> k = Matrix<T>((c.shared ? c.batch : planes) * c.m, c.d, place(1)).random(2);
  Matrix<T> v = Matrix<T>(k.rows, c.e, place(2)).random(3);
  Matrix<T> null_key = Matrix<T>(c.null_heads ? c.heads : 1, c.d, place(3)).random(4);
  Matrix<T> null_value = Matrix<T>(c.null_heads ? c.heads : 1, c.e, place(0)).random(5);
  if (precision != F2I_PRECISION_F32) {
    for (Matrix<T> *const x : {&q, &k, &v, &null_key, &null_value}) shorten(*x);
  }
  Matrix<T> bias = Matrix<T>((c.bias_batch ? c.batch : 1) * (c.bias_heads ? c.heads : 1) * c.n, all, place(1)).random(6, 2);
  for (int64_t i = 0; c.bias && i < bias.rows; ++i) bias(i, (i * 5) % all) = static_cast<T>(-infinity);
  Matrix<uint8_t> mask(c.batch, c.m, place(2));
  for (int64_t b = 0; b < c.batch; ++b)
    for (int64_t j = 0; j < c.m; ++j) mask(b, j) = (j * 7 + b) % 5 != 0;

  const auto query_row = [&](int64_t b, int64_t h, int64_t i) {
    return c.inside ? (b * c.n + i) * c.heads + h : (b * c.heads + h) * c.n + i;
  };
  const auto key_row = [&](int64_t b, int64_t h, int64_t j) {
    return c.shared ? b * c.m + j : c.inside ? (b * c.m + j) * c.heads + h : (b * c.heads + h) * c.m + j;
  };
  if (c.mask && (c.shared || !c.inside)) { // what is hidden is not looked at
    for (int64_t b = 0; b < c.batch; ++b)
      for (int64_t h = 0; h < c.heads; ++h) v(key_row(b, h, 0), 0) = mask(b, 0) ? v(key_row(b, h, 0), 0) : static_cast<T>(NAN);
  }
  std::vector<double> expected(static_cast<size_t>(planes * c.n * c.e)), size(expected.size()), lse;
  for (int64_t b = 0; b < c.batch; ++b) {
    for (int64_t h = 0; h < c.heads; ++h) {
      for (int64_t i = 0; i < c.n; ++i) {
        std::vector<double> logits;
        double largest = -infinity;
        for (int64_t j = 0; j < all; ++j) {
          const bool null = c.null_key && j == 0;
          const int64_t real = j - (c.null_key ? 1 : 0);
          double dot = 0, qq = 0, kk = 0;
          for (int64_t p = 0; p < c.d; ++p) {
            const double x = q(query_row(b, h, i), p);
            const double y = null ? null_key(c.null_heads ? h : 0, p) : k(key_row(b, h, real), p);
            dot += x * y, qq += x * x, kk += y * y;
          }
          if (c.cosine) dot /= std::sqrt(qq * kk);
          double logit = scale * dot;
          if (c.bias) {
            const int64_t plane = (c.bias_batch ? b : 0) * (c.bias_heads ? c.heads : 1) + (c.bias_heads ? h : 0);
            logit += bias(plane * c.n + i, j);
          }
          if (c.causal && j >= i + 1 + all - c.n) logit = -infinity;
          if (c.mask && !null && !mask(b, real)) logit = -infinity;
          logits.push_back(logit);
          largest = std::max(largest, logit);
        }
        double sum = 0;
        for (int64_t j = 0; j < all; ++j) {
          const double weight = logits[static_cast<size_t>(j)] == -infinity ? 0 : std::exp(logits[static_cast<size_t>(j)] - largest);
          sum += weight;
          const bool null = c.null_key && j == 0;
          for (int64_t p = 0; weight != 0 && p < c.e; ++p) {
            const double value = null ? null_value(c.null_heads ? h : 0, p) : v(key_row(b, h, j - (c.null_key ? 1 : 0)), p);
            const auto at = static_cast<size_t>(query_row(b, h, i) * c.e + p);
            expected[at] += weight * value, size[at] += weight * std::abs(value);
          }
        }
        for (int64_t p = 0; p < c.e; ++p) {
          const auto at = static_cast<size_t>(query_row(b, h, i) * c.e + p);
          expected[at] = sum == 0 ? 0 : expected[at] / sum;
          size[at] = 1e-6 + (sum == 0 ? 0 : size[at] / sum);
        }
        lse.push_back(sum == 0 ? -infinity : largest + std::log(sum));
      }
    }
  }
  expected.insert(expected.end(), lse.begin(), lse.end());
  // The error of a logit (its size, at most about 40, times u) is a relative error of its weight.
  const double of_logits = epsilon<T> * 60, tolerance = of_logits + rounding_of(precision);
  for (const double value : lse) size.push_back((1 + (std::isinf(value) ? 0 : std::abs(value))) * of_logits / tolerance);

  everywhere<T>(
      "attention case " + std::to_string(variant) + (sizeof(T) == 4 ? " f32" : " f64") + (even ? ", even rows" : "") +
          (precision == F2I_PRECISION_F32 ? "" : ", precision " + std::to_string(precision)),
      [&](const Engine &engine) {
        const Device<T> dq(engine, q), dk(engine, k), dv(engine, v), dnull_key(engine, null_key),
            dnull_value(engine, null_value), dbias(engine, bias), dy(engine, Matrix<T>(planes * c.n, c.e, place(3))),
            dlse(engine, Matrix<T>(planes, c.n, place(1)));
        const Device<uint8_t> dmask(engine, mask);
        f2i_attention_args args = F2I_INIT(f2i_attention_args);
        args.layout = c.inside ? F2I_HEADS_INSIDE : F2I_HEADS_FIRST;
        args.cosine = c.cosine, args.causal = c.causal, args.shared = c.shared;
        args.bias_batch = c.bias && c.bias_batch, args.bias_heads = c.bias && c.bias_heads;
        args.batch = c.batch, args.heads = c.heads, args.scale = scale;
        args.q = dq, args.k = dk, args.v = dv, args.y = dy, args.lse = dlse;
        if (c.null_key) args.null_key = dnull_key, args.null_value = dnull_value;
        if (c.bias) args.bias = dbias;
        if (c.mask) args.mask = dmask;
        ok(f2i_attention(engine, &args));
        auto found = dy.download().elements();
        const auto logs = dlse.download().elements();
        found.insert(found.end(), logs.begin(), logs.end());
        return found;
      },
      [&](const std::vector<T> &found) { return compare(found, expected, tolerance, size); }, precision);
}

} // namespace

TEST(attention_f32) {
  int variant = 0;
  for (const Case &c : cases) check_attention<float>(c, variant++, false);
}
TEST(attention_of_even_rows) {
  int variant = 0;
  for (const Case &c : cases) check_attention<float>(c, variant++, true);
}
TEST(attention_f64) {
  int variant = 0;
  for (const Case &c : cases) check_attention<double>(c, variant++, false);
}

TEST(attention_in_other_precisions) {
  if (test_device() == F2I_DEVICE_CPU) return; // which ignores them
  for (const f2i_precision precision : {F2I_PRECISION_TF32, F2I_PRECISION_BF16, F2I_PRECISION_F16}) {
    int variant = 0;
    for (const Case &c : cases) check_attention<float>(c, variant++, precision == F2I_PRECISION_TF32, precision);
  }
}

// Enough heads that a device does not split their keys: every stage of its shared memory is used several times.
TEST(attention_of_many_tiles_in_other_precisions) {
  if (test_device() == F2I_DEVICE_CPU) return;
  const Case wide = {1, 6, 10, 900, 52, 60, false, false, false, false, false, false, false, true, 1, 0};
  const Case wider = {1, 5, 10, 700, 70, 128, true, true, false, false, false, true, false, false, 0, 0};
  check_attention<float>(wide, 0, true, F2I_PRECISION_BF16);
  check_attention<float>(wider, 1, false, F2I_PRECISION_F16);
}

// What is not finite is made again in f32, which would hide a slice that was read before it came: of finite operands
// every row must show the rounding of its precision.
TEST(products_of_finite_operands_are_made_in_their_precision) {
  if (test_device() == F2I_DEVICE_CPU) return;
  for (const int64_t d : {52, 132}) {
    const int64_t n = 140, m = 100;
    const Matrix<float> q = Matrix<float>(n, d).random(1), k = Matrix<float>(m, d).random(2), v = Matrix<float>(m, d).random(3);
    const auto attend = [&](f2i_precision precision) {
      const Engine engine(F2I_ISA_AUTO, 1, 0, precision);
      const Device<float> dq(engine, q), dk(engine, k), dv(engine, v), dy(engine, Matrix<float>(n, d));
      f2i_attention_args args = F2I_INIT(f2i_attention_args);
      args.batch = args.heads = 1;
      args.scale = 0.125;
      args.q = dq, args.k = dk, args.v = dv, args.y = dy;
      ok(f2i_attention(engine, &args));
      return dy.download().elements();
    };
    const std::vector<float> exact = attend(F2I_PRECISION_F32);
    const char *const capability = std::getenv("F2I_SHIM_CAPABILITY");
    const bool tensor_cores = capability == nullptr || std::atoi(capability) >= 80;
    for (const f2i_precision precision : {F2I_PRECISION_TF32, F2I_PRECISION_BF16, F2I_PRECISION_F16}) {
      const std::vector<float> found = attend(precision);
      float least = INFINITY, most = 0; // of the rows' largest differences
      for (int64_t i = 0; i < n; ++i) {
        float largest = 0;
        for (int64_t c = 0; c < d; ++c) {
          largest = std::max(largest, std::abs(found[static_cast<size_t>(i * d + c)] - exact[static_cast<size_t>(i * d + c)]));
        }
        least = std::min(least, largest), most = std::max(most, largest);
      }
      const auto rounding = static_cast<float>(rounding_of(precision));
      CHECK(tensor_cores ? least > rounding / 64 : most == 0);
      CHECK(most < rounding * 8);
    }
  }
}

// The processor promises it of masked keys alone, and saves the time.
TEST(on_a_device_what_is_not_finite_stays_with_those_who_see_it) {
  if (test_device() == F2I_DEVICE_CPU) return;
  const int64_t n = 70, m = 70, d = 52;
  const Matrix<float> q = Matrix<float>(n, d).random(1);
  Matrix<float> k = Matrix<float>(m, d).random(2), v = Matrix<float>(m, d).random(3);
  const auto attend = [&](f2i_precision precision) {
    const Engine engine(F2I_ISA_AUTO, 1, 0, precision);
    const Device<float> dq(engine, q), dk(engine, k), dv(engine, v), dy(engine, Matrix<float>(n, d));
    f2i_attention_args args = F2I_INIT(f2i_attention_args);
    args.batch = args.heads = 1, args.causal = 1;
    args.scale = 0.125;
    args.q = dq, args.k = dk, args.v = dv, args.y = dy;
    ok(f2i_attention(engine, &args));
    return dy.download().elements();
  };
  const std::vector<float> before = attend(F2I_PRECISION_F32);
  k(66, 3) = NAN;
  v(65, 2) = std::numeric_limits<float>::infinity();
  for (const f2i_precision precision : {F2I_PRECISION_F32, F2I_PRECISION_BF16, F2I_PRECISION_F16}) {
    const std::vector<float> found = attend(precision);
    const auto tolerance = static_cast<float>(1e-5 + 8 * rounding_of(precision));
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t c = 0; c < d; ++c) {
        const auto at = static_cast<size_t>(i * d + c);
        if (i >= 66) CHECK(std::isnan(found[at]));
        else if (i == 65 && c == 2) CHECK_EQUAL(found[at], std::numeric_limits<float>::infinity());
        else CHECK(std::abs(found[at] - before[at]) <= tolerance);
      }
    }
  }
}

// The least number of f32 stands for "hidden" in many models; where it is all that a query has, keys weigh alike.
TEST(the_least_bias_is_none_at_all_where_every_key_has_it) {
  const int64_t n = 5, m = 9, d = 8;
  for (const f2i_precision precision : {F2I_PRECISION_F32, F2I_PRECISION_BF16, F2I_PRECISION_F16}) {
    const Engine engine(F2I_ISA_AUTO, 1, 0, precision);
    Matrix<float> v(m, d), low(n, m);
    for (int64_t j = 0; j < m; ++j)
      for (int64_t c = 0; c < d; ++c) v(j, c) = static_cast<float>(j);
    low.fill(std::numeric_limits<float>::lowest());
    for (int64_t j = 1; j < m; ++j) low(n - 1, j) = 0; // the last query has others
    const Device<float> q(engine, Matrix<float>(n, d).random(1)), k(engine, Matrix<float>(m, d).fill(0)), dv(engine, v),
        bias(engine, low), y(engine, Matrix<float>(n, d));
    f2i_attention_args args = F2I_INIT(f2i_attention_args);
    args.batch = args.heads = 1;
    args.scale = 0.125;
    args.q = q, args.k = k, args.v = dv, args.bias = bias, args.y = y;
    ok(f2i_attention(engine, &args));
    const std::vector<float> found = y.download().elements();
    for (size_t i = 0; i < found.size(); ++i) {
      const float mean = static_cast<int64_t>(i) < (n - 1) * d ? 4.0f : 4.5f; // of 0 to 8, and of 1 to 8
      CHECK(std::abs(found[i] - mean) <= 1e-5f + 8 * static_cast<float>(rounding_of(precision)));
    }
  }
}

// In f16 they are infinities, and a logit of -infinity would be that of a key that is hidden.
TEST(queries_and_keys_beyond_f16_count) {
  for (const bool of_query : {true, false}) {
    const Engine engine(F2I_ISA_AUTO, 1, 0, F2I_PRECISION_F16);
    const int64_t n = 3, d = 4;
    Matrix<float> q = Matrix<float>(n, d).fill(0), k = Matrix<float>(n, d).fill(0);
    q(0, 0) = of_query ? 1e5f : -1e-4f;
    k(0, 0) = of_query ? -1e-4f : 1e5f;
    const Device<float> dq(engine, q), dk(engine, k), v(engine, Matrix<float>(n, d).random(3)), y(engine, Matrix<float>(n, d)),
        lse(engine, Matrix<float>(1, n));
    f2i_attention_args args = F2I_INIT(f2i_attention_args);
    args.batch = args.heads = 1, args.causal = 1; // query 0 sees key 0 alone
    args.scale = 0.125;
    args.q = dq, args.k = dk, args.v = v, args.y = y, args.lse = lse;
    ok(f2i_attention(engine, &args));
    const std::vector<float> found = y.download().elements(), values = v.download().elements();
    for (size_t c = 0; c < static_cast<size_t>(d); ++c) CHECK(std::abs(found[c] - values[c]) <= 1e-5f);
    CHECK(std::abs(lse.download().elements()[0] + 1.25f) <= 1e-5f);
  }
}

// Rows whose norms divide them may have entries beyond the range of f16.
TEST(cosines_do_not_depend_on_the_size_of_rows) {
  for (const f2i_precision precision : {F2I_PRECISION_F32, F2I_PRECISION_BF16, F2I_PRECISION_F16}) {
    std::vector<float> results[2];
    for (const bool sized : {false, true}) {
      const Engine engine(F2I_ISA_AUTO, 1, 0, precision);
      const int64_t n = 6, d = 20;
      Matrix<float> q = Matrix<float>(n, d).random(1), k = Matrix<float>(n, d).random(2);
      for (int64_t i = 0; sized && i < n; ++i) {
        for (int64_t c = 0; c < d; ++c) q(i, c) *= std::ldexp(1.0f, 9 * static_cast<int>(i) - 24), k(i, c) *= std::ldexp(1.0f, 20 - 9 * static_cast<int>(i));
      }
      const Device<float> dq(engine, q), dk(engine, k), v(engine, Matrix<float>(n, d).random(3)), y(engine, Matrix<float>(n, d));
      f2i_attention_args args = F2I_INIT(f2i_attention_args);
      args.batch = args.heads = 1, args.cosine = 1;
      args.scale = 16;
      args.q = dq, args.k = dk, args.v = v, args.y = y;
      ok(f2i_attention(engine, &args));
      results[sized ? 1 : 0] = y.download().elements();
    }
    for (size_t i = 0; i < results[0].size(); ++i) CHECK(std::abs(results[0][i] - results[1][i]) <= 1e-5f);
  }
}

TEST(no_key_gives_zeros) {
  const Engine engine;
  const Device<float> q(engine, Matrix<float>(3, 4).random(1)), k(engine, Matrix<float>(1, 4)),
      y(engine, Matrix<float>(3, 4));
  f2i_attention_args args = F2I_INIT(f2i_attention_args);
  args.batch = args.heads = 1;
  args.scale = 1;
  args.q = q, args.k = k, args.v = k, args.y = y;
  args.k.rows = args.v.rows = 0;
  ok(f2i_attention(engine, &args));
  for (const float value : y.download().elements()) CHECK_EQUAL(value, 0.0f);
}

TEST(memory_grows_with_the_lengths_alone) {
  const int64_t n = 3000, d = 16;
  const Engine engine(F2I_ISA_AUTO, 2);
  const Device<float> q(engine, Matrix<float>(n, d).random(1)), y(engine, Matrix<float>(n, d));
  f2i_attention_args args = F2I_INIT(f2i_attention_args);
  args.batch = args.heads = 1;
  args.scale = 0.25;
  args.q = args.k = args.v = q, args.y = y;
  ok(f2i_attention(engine, &args));
  ok(f2i_sync(engine, nullptr));
  CHECK(engine.info().peak_bytes < 4 << 20); // a matrix of n x n takes 36 MB
}

TEST(bad_arguments_are_named) {
  const Engine engine;
  const Device<float> q(engine, Matrix<float>(12, 4).fill(1)), y(engine, Matrix<float>(12, 4));
  f2i_attention_args args = F2I_INIT(f2i_attention_args);
  args.batch = 2, args.heads = 3;
  args.scale = 1;
  args.q = args.k = args.v = q, args.y = y;
  const auto refused = [&](const char *part) {
    CHECK_EQUAL(f2i_attention(engine, &args), F2I_INVALID_ARGUMENT);
    CHECK_CONTAINS(f2i_last_error(engine), part);
  };
  args.heads = 5;
  refused("q: shape: expected a multiple of 10 rows, found 12");
  args.heads = 3;
  args.scale = NAN;
  refused("scale");
  args.scale = 1;
  args.null_key = q;
  args.null_key.rows = 1;
  refused("null_key and null_value: expected both or neither");
  args.null_key = {};
  args.bias = q;
  refused("bias: shape: expected 2 x 2, found 12 x 4");
  args.bias = {};
  args.mask = q;
  refused("mask: dtype: expected u8, found f32");
}

CHECK_MAIN();
