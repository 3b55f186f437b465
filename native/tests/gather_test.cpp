// gather through the C ABI: exactly the chosen entries, of every element size.
#include "engine.hpp"

using namespace engine;

namespace {

template <class T> void check_gather(int64_t rows, int64_t cols, bool by_row, bool by_col, Place place) {
  Matrix<T> x(rows, cols, place);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) x(i, j) = static_cast<T>(i * 31 + j * 7 + 1);
  std::mt19937 generator(50);
  const auto list = [&](bool wanted, int64_t limit) {
    std::vector<int32_t> indices(static_cast<size_t>(wanted ? limit * 3 / 2 + 1 : limit)); // with repetitions
    for (size_t i = 0; i < indices.size(); ++i) {
      indices[i] = wanted ? static_cast<int32_t>(generator() % static_cast<uint64_t>(limit)) : static_cast<int32_t>(i);
    }
    return indices;
  };
  const std::vector<int32_t> row_list = list(by_row, rows), col_list = list(by_col, cols);
  std::vector<double> expected;
  for (const int32_t i : row_list)
    for (const int32_t j : col_list) expected.push_back(static_cast<double>(x(i, j)));
  everywhere<T>(
      "gather " + std::to_string(sizeof(T)) + " bytes from " + std::to_string(rows) + "x" + std::to_string(cols) +
          (by_row ? " by row" : "") + (by_col ? " by column" : ""),
      [&](const Engine &engine) {
        const Device<T> dx(engine, x),
            dy(engine, Matrix<T>(static_cast<int64_t>(row_list.size()), static_cast<int64_t>(col_list.size()), place));
        std::vector<int32_t> rows_copy = row_list, cols_copy = col_list;
        f2i_gather_args args = F2I_INIT(f2i_gather_args);
        args.row_indices = by_row ? rows_copy.data() : nullptr;
        args.col_indices = by_col ? cols_copy.data() : nullptr;
        args.x = dx;
        args.y = dy;
        ok(f2i_gather(engine, &args));
        std::fill(rows_copy.begin(), rows_copy.end(), -1); // the call has copied the lists
        std::fill(cols_copy.begin(), cols_copy.end(), -1);
        return dy.download().elements();
      },
      [&](const std::vector<T> &found) { return compare(found, expected, 0); });
}

template <class T> void check_all() {
  for (const auto &[rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {5, 9}, {64, 300}, {500, 33}}) {
    for (int lists = 0; lists < 4; ++lists) {
      check_gather<T>(rows, cols, lists & 1, lists & 2, lists == 3 ? Place{3, 1} : Place{});
    }
  }
}

} // namespace

TEST(gather_8_bytes) { check_all<double>(); }
TEST(gather_4_bytes) { check_all<float>(), check_all<int32_t>(); }
TEST(gather_2_bytes) { check_all<uint16_t>(); }
TEST(gather_1_byte) { check_all<uint8_t>(); }

CHECK_MAIN();
