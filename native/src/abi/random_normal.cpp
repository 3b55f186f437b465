#include "abi/call.hpp"

extern "C" f2i_status f2i_random_normal(f2i_context *context, const f2i_random_normal_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::RandomNormal> call(context, "random_normal", cpu::random_normal);
    const auto args = abi::read_struct("random_normal", arguments);
    call.reserved(args.reserved);
    auto &[seed, offset, y] = call.op;
    seed = args.seed;
    offset = args.offset;
    call.output(y, "y", args.y);
    call.require_type(y, {F2I_F32, F2I_F64, F2I_I32});
    const int64_t size = call.product("y", y.rows, y.cols);
    if (offset > UINT64_MAX - static_cast<uint64_t>(size)) {
      call.invalid("offset: expected 2^64 less the size at most, found %llu", static_cast<unsigned long long>(offset));
    }
    call.enqueue();
  });
}
