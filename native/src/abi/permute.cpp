#include "abi/call.hpp"

extern "C" f2i_status f2i_permute(f2i_context *context, const f2i_permute_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Permute> call(context, "permute", cpu::permute);
    const auto args = abi::read_struct("permute", arguments);
    cpu::Permute &op = call.op;
    if (args.rank < 0 || args.rank > F2I_MAX_RANK) {
      call.invalid("rank: expected 0 to %d, found %d", F2I_MAX_RANK, args.rank);
    }
    op.rank = args.rank;
    int64_t size = 1;
    bool used[F2I_MAX_RANK] = {};
    for (int i = 0; i < op.rank; ++i) {
      const int32_t axis = args.axes[i];
      if (axis < 0 || axis >= op.rank || used[axis]) call.invalid("axes: expected each axis once");
      used[axis] = true;
      if (args.shape[i] < 0 || __builtin_mul_overflow(size, args.shape[i], &size)) {
        call.invalid("shape[%d]: expected an extent, found %lld", i, static_cast<long long>(args.shape[i]));
      }
      op.axes[i] = axis;
      op.shape[i] = args.shape[i];
    }
    call.input(op.x, "x", args.x);
    call.require_shape(op.x, 1, size);
    call.output(op.y, "y", args.y);
    call.require_same_type(op.y, op.x);
    call.require_shape(op.y, 1, size);
    call.enqueue();
  });
}
