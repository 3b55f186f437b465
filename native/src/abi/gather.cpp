#include "abi/call.hpp"

extern "C" f2i_status f2i_gather(f2i_context *context, const f2i_gather_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Gather> call(context, "gather", cpu::gather);
    const auto args = abi::read_struct("gather", arguments);
    call.reserved(args.reserved);
    auto &[row_indices, col_indices, x, y] = call.op;

    call.input(x, "x", args.x);
    call.output(y, "y", args.y);
    call.require_same_type(y, x);
    call.require_shape(y, args.row_indices != nullptr ? y.rows : x.rows, args.col_indices != nullptr ? y.cols : x.cols);

    const auto list = [&](const char *name, const int32_t *indices, int64_t count, int64_t limit) -> const int32_t * {
      if (indices == nullptr || y.rows == 0 || y.cols == 0) return nullptr; // nothing is looked up
      for (int64_t i = 0; i < count; ++i) {
        if (indices[i] < 0 || indices[i] >= limit) {
          call.invalid("%s[%lld]: expected 0 to %lld, found %d", name, static_cast<long long>(i),
                       static_cast<long long>(limit - 1), indices[i]);
        }
      }
      return call.copy_list(indices, count);
    };
    row_indices = list("row_indices", args.row_indices, y.rows, x.rows);
    col_indices = list("col_indices", args.col_indices, y.cols, x.cols);
    call.enqueue();
  });
}
