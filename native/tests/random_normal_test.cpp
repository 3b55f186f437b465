// random_normal through the C ABI: the words of Philox as published, and what Box and Muller make of them.
#include "engine.hpp"

using namespace engine;

namespace {

/// Philox4x32-10 as its paper has it (Salmon et al. 2011, section 3.3).
void philox(uint64_t block, uint64_t seed, uint32_t (&c)[4]) {
  c[0] = static_cast<uint32_t>(block), c[1] = static_cast<uint32_t>(block >> 32), c[2] = c[3] = 0;
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c[0], p1 = uint64_t{0xCD9E8D57} * c[2];
    const uint32_t next[] = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
                             static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    std::copy(next, next + 4, c);
    k0 += 0x9E3779B9, k1 += 0xBB67AE85;
  }
}

uint32_t word(uint64_t seed, uint64_t element) {
  uint32_t words[4];
  philox(element / 4, seed, words);
  return words[element % 4];
}

double normal(uint64_t seed, uint64_t element) {
  const uint64_t even = element / 2 * 2;
  const auto number = [&](uint64_t e) { return (std::floor(word(seed, e) / 512.0) + 0.5) / 8388608.0; };
  const double radius = std::sqrt(-2 * std::log(number(even))), angle = 2 * M_PI * number(even + 1);
  return radius * (element == even ? std::cos(angle) : std::sin(angle));
}

template <class T> std::vector<T> draw(const Engine &engine, int64_t rows, int64_t cols, uint64_t seed, uint64_t offset,
                                       Place place = {}) {
  const Device<T> y(engine, Matrix<T>(rows, cols, place));
  f2i_random_normal_args args = F2I_INIT(f2i_random_normal_args);
  args.seed = seed, args.offset = offset, args.y = y;
  ok(f2i_random_normal(engine, &args));
  return y.download().elements();
}

/// Against the formulas, on every instruction set, which may not differ by a bit.
template <class T> void check_draw(int64_t rows, int64_t cols, uint64_t seed, uint64_t offset, double tolerance) {
  std::vector<T> portable;
  everywhere<T>(
      "random_normal " + std::to_string(rows) + "x" + std::to_string(cols) + " from " + std::to_string(offset),
      [&](const Engine &engine) {
        const auto found = draw<T>(engine, rows, cols, seed, offset, {rows > 1 ? 3 : 0, 1});
        if (portable.empty()) portable = found;
        CHECK(std::memcmp(found.data(), portable.data(), found.size() * sizeof(T)) == 0);
        return found;
      },
      [&](const std::vector<T> &found) {
        std::vector<double> expected;
        for (size_t e = 0; e < found.size(); ++e) expected.push_back(normal(seed, offset + e));
        return compare(found, expected, tolerance, std::vector<double>(found.size(), 1));
      });
}

} // namespace

/// The known answer of the authors' own library (Random123, kat_vectors) for a counter and a key of zeros.
TEST(the_oracle_is_philox) {
  uint32_t words[4];
  philox(0, 0, words);
  CHECK(words[0] == 0x6627e8d5 && words[1] == 0xe169c58d && words[2] == 0xbc57ac4c && words[3] == 0x9b00dbd8);
}

TEST(words_are_those_of_philox) {
  // Seeds and offsets that use both words of key and counter; rows that begin inside of a block.
  const uint64_t seeds[] = {0, 1, 0xfeedfacedeadbeef}, offsets[] = {0, 3, (uint64_t{1} << 34) - 50, UINT64_MAX - 2000};
  for (const uint64_t seed : seeds) {
    for (const uint64_t offset : offsets) {
      everywhere<int32_t>(
          "words from " + std::to_string(offset), [&](const Engine &engine) { return draw<int32_t>(engine, 7, 131, seed, offset, {2, 1}); },
          [&](const std::vector<int32_t> &found) -> std::string {
            for (size_t e = 0; e < found.size(); ++e) {
              if (static_cast<uint32_t>(found[e]) != word(seed, offset + e)) return "element " + std::to_string(e);
            }
            return "";
          });
    }
  }
}

TEST(normals_are_those_of_the_words) {
  // f32: half a unit in the last place of numbers up to 8; 1e-6 is what all backends promise.
  check_draw<float>(1, 1, 5, 0, 2.5e-7);
  check_draw<float>(9, 77, 42, 2, 2.5e-7);
  check_draw<float>(1, 70001, 7, 1, 2.5e-7); // several tiles
  check_draw<double>(1, 70001, 7, 3, 1e-14);
  check_draw<double>(5, 6, 0xfeedfacedeadbeef, (uint64_t{1} << 34) - 7, 1e-14);
}

TEST(a_stream_does_not_depend_on_how_it_is_cut) {
  const Engine engine;
  const auto whole = draw<float>(engine, 1, 3000, 11, 0);
  for (const uint64_t at : {1, 2, 255, 256, 259, 1021}) {
    const auto rest = draw<float>(engine, 1, 3000 - static_cast<int64_t>(at), 11, at);
    CHECK(std::memcmp(rest.data(), whole.data() + at, rest.size() * sizeof(float)) == 0);
  }
  CHECK(draw<float>(engine, 3, 1000, 11, 0) == whole);
}

TEST(moments_are_those_of_a_normal) {
  const Engine engine;
  const int64_t n = 1 << 20;
  const auto y = draw<float>(engine, 1, n, 2026, 0);
  double sums[5] = {}, neighbours = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double x = y[static_cast<size_t>(i)];
    for (int p = 1; p <= 4; ++p) sums[p] += std::pow(x, p) / static_cast<double>(n);
    if (i > 0) neighbours += x * y[static_cast<size_t>(i - 1)] / static_cast<double>(n);
  }
  // Five standard errors: the variance of x^p is E x^2p - (E x^p)^2.
  const double error = 5 / std::sqrt(static_cast<double>(n));
  CHECK(std::abs(sums[1]) < error);
  CHECK(std::abs(sums[2] - 1) < error * std::sqrt(2.0));
  CHECK(std::abs(sums[3]) < error * std::sqrt(15.0));
  CHECK(std::abs(sums[4] - 3) < error * std::sqrt(96.0));
  CHECK(std::abs(neighbours) < error);
}

TEST(bad_arguments_are_named) {
  const Engine engine;
  const Device<float> y(engine, Matrix<float>(4, 6));
  f2i_random_normal_args args = F2I_INIT(f2i_random_normal_args);
  args.y = y;
  args.offset = UINT64_MAX - 23;
  CHECK_EQUAL(f2i_random_normal(engine, &args), F2I_INVALID_ARGUMENT);
  CHECK_CONTAINS(f2i_last_error(engine), "offset: expected 2^64 less the size at most");
  args.offset = 0;
  args.y.dtype = F2I_F16;
  CHECK_EQUAL(f2i_random_normal(engine, &args), F2I_INVALID_ARGUMENT);
  CHECK_CONTAINS(f2i_last_error(engine), "y: dtype: expected f32 or f64 or i32, found f16");
}

CHECK_MAIN();
