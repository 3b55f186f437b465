// Ops that move or turn values: concat, slice, permute, rotary, relative_position_bias, upsample_nearest.
#include "engine.hpp"

#include <memory>

using namespace engine;

namespace {

void check_permute(const std::vector<int64_t> &shape, const std::vector<int32_t> &axes) {
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  Matrix<float> x(1, size);
  for (int64_t i = 0; i < size; ++i) x(0, i) = static_cast<float>(i);
  const int rank = static_cast<int>(shape.size());
  std::vector<double> expected;
  std::vector<int64_t> at(shape.size(), 0);
  for (int64_t i = 0; i < size; ++i) {
    int64_t rest = i, from = 0;
    for (int axis = rank - 1; axis >= 0; --axis) {
      const int64_t extent = shape[static_cast<size_t>(axes[static_cast<size_t>(axis)])];
      at[static_cast<size_t>(axes[static_cast<size_t>(axis)])] = rest % extent;
      rest /= extent;
    }
    for (int axis = 0; axis < rank; ++axis) from = from * shape[static_cast<size_t>(axis)] + at[static_cast<size_t>(axis)];
    expected.push_back(static_cast<double>(from));
  }
  everywhere<float>(
      "permute of " + std::to_string(size),
      [&](const Engine &engine) {
        const Device<float> dx(engine, x), dy(engine, Matrix<float>(1, size));
        f2i_permute_args args = F2I_INIT(f2i_permute_args);
        args.rank = rank;
        std::copy(shape.begin(), shape.end(), args.shape);
        std::copy(axes.begin(), axes.end(), args.axes);
        args.x = dx, args.y = dy;
        ok(f2i_permute(engine, &args));
        return dy.download().elements();
      },
      [&](const std::vector<float> &found) { return compare(found, expected, 0); });
}

} // namespace

TEST(permute_moves_axes) {
  check_permute({7}, {0});
  check_permute({3, 5}, {1, 0});
  check_permute({130, 517}, {1, 0});
  check_permute({2, 33, 4, 52}, {0, 2, 1, 3});
  check_permute({2, 40, 19, 3}, {0, 3, 1, 2});
  check_permute({3, 4, 5, 6, 7}, {4, 2, 0, 3, 1});
  check_permute({1, 1, 9, 1}, {3, 2, 1, 0});
}

TEST(concat_and_slice_undo_each_other) {
  for (const int64_t rows : {1, 5, 700}) {
    const Engine engine;
    const Matrix<double> a = Matrix<double>(rows, 3, {2, 1}).random(1), b = Matrix<double>(rows, 70).random(2);
    const Device<double> da(engine, a), db(engine, b), dy(engine, Matrix<double>(rows, 76, {1, 0}));
    const f2i_matrix parts[] = {da, db, da};
    f2i_concat_args concat = F2I_INIT(f2i_concat_args);
    concat.count = 3, concat.x = parts, concat.y = dy;
    ok(f2i_concat(engine, &concat));
    const Matrix<double> y = dy.download();
    for (int64_t i = 0; i < rows; ++i) {
      CHECK_EQUAL(y(i, 2), a(i, 2));
      CHECK_EQUAL(y(i, 3), b(i, 0));
      CHECK_EQUAL(y(i, 72), b(i, 69));
      CHECK_EQUAL(y(i, 75), a(i, 2));
    }
    const Device<double> dz(engine, Matrix<double>(rows, 70));
    f2i_slice_args slice = F2I_INIT(f2i_slice_args);
    slice.start = 3, slice.x = dy, slice.y = dz;
    ok(f2i_slice(engine, &slice));
    CHECK(dz.download().elements() == b.elements());
    slice.start = 7;
    CHECK_EQUAL(f2i_slice(engine, &slice), F2I_INVALID_ARGUMENT);
    CHECK_CONTAINS(f2i_last_error(engine), "start: expected 0 to 6, found 7");
  }
}

TEST(rotary_turns_pairs_by_their_position) {
  const int64_t positions = 6, inside = 3, d = 10, pairs = 4;
  const Matrix<float> x = Matrix<float>(2 * positions * inside, d, {1, 2}).random(1);
  Matrix<float> cosine(positions, pairs), sine(positions, pairs);
  for (int64_t i = 0; i < positions; ++i)
    for (int64_t p = 0; p < pairs; ++p) cosine(i, p) = std::cos(0.3f * float(i * (p + 1))), sine(i, p) = std::sin(0.3f * float(i * (p + 1)));
  std::vector<double> expected;
  for (int64_t i = 0; i < x.rows; ++i) {
    const int64_t position = i / inside % positions;
    for (int64_t j = 0; j < d; ++j) {
      const int64_t p = j / 2;
      const double c = p < pairs ? cosine(position, p) : 1, s = p < pairs ? sine(position, p) : 0;
      expected.push_back(j % 2 == 0 ? x(i, j) * c - x(i, j + 1) * s : x(i, j) * c + x(i, j - 1) * s);
    }
  }
  everywhere<float>(
      "rotary",
      [&](const Engine &engine) {
        const Device<float> dx(engine, x), dcos(engine, cosine), dsin(engine, sine), dy(engine, Matrix<float>(x.rows, d));
        f2i_rotary_args args = F2I_INIT(f2i_rotary_args);
        args.inside = inside;
        args.x = dx, args.cos = dcos, args.sin = dsin, args.y = dy;
        ok(f2i_rotary(engine, &args));
        return dy.download().elements();
      },
      [&](const std::vector<float> &found) { return compare(found, expected, 4 * epsilon<float>); });
}

TEST(relative_position_bias_looks_buckets_up) {
  const Engine engine;
  const Matrix<float> table = Matrix<float>(5, 3, {1, 0}).random(1);
  const int32_t buckets[] = {0, 4, 2, 2, 1, 3};
  const Device<float> dtable(engine, table), dy(engine, Matrix<float>(3, 6));
  f2i_relative_position_bias_args args = F2I_INIT(f2i_relative_position_bias_args);
  args.buckets = buckets, args.table = dtable, args.y = dy;
  ok(f2i_relative_position_bias(engine, &args));
  const Matrix<float> y = dy.download();
  for (int64_t h = 0; h < 3; ++h)
    for (int64_t i = 0; i < 6; ++i) CHECK_EQUAL(y(h, i), table(buckets[i], h));
  const int32_t bad[] = {0, 5, 0, 0, 0, 0};
  args.buckets = bad;
  CHECK_EQUAL(f2i_relative_position_bias(engine, &args), F2I_INVALID_ARGUMENT);
  CHECK_CONTAINS(f2i_last_error(engine), "buckets[1]: expected 0 to 4, found 5");
}

TEST(upsample_nearest_repeats) {
  const Engine engine;
  const Matrix<float> x = Matrix<float>(50, 41, {2, 0}).random(1);
  const Device<float> dx(engine, x), dy(engine, Matrix<float>(150, 123, {1, 1}));
  f2i_upsample_nearest_args args = F2I_INIT(f2i_upsample_nearest_args);
  args.factor = 3, args.x = dx, args.y = dy;
  ok(f2i_upsample_nearest(engine, &args));
  const Matrix<float> y = dy.download();
  for (int64_t i = 0; i < 150; ++i)
    for (int64_t j = 0; j < 123; ++j) CHECK_EQUAL(y(i, j), x(i / 3, j / 3));
}

CHECK_MAIN();
