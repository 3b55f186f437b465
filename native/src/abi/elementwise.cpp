#include "abi/call.hpp"

extern "C" f2i_status f2i_elementwise(f2i_context *context, const f2i_elementwise_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Elementwise> call(context, "elementwise", cpu::elementwise);
    const auto args = abi::read_struct("elementwise", arguments);
    auto &[kind, scalar, a, b, y] = call.op;
    kind = args.kind;
    scalar = args.scalar;
    const bool binary = kind >= F2I_ADD && kind <= F2I_MIN, unary = kind >= F2I_NEG && kind <= F2I_LOG;
    if (!binary && !unary) call.invalid("kind: expected a known kind, found %d", kind);

    call.input(a, "a", args.a);
    call.require_type(a, {F2I_F32, F2I_F64, F2I_I32});
    if (a.dtype == F2I_I32 && (kind == F2I_DIV || kind == F2I_SQRT || kind == F2I_EXP || kind == F2I_LOG)) {
      call.invalid("a: dtype: expected f32 or f64 for kind %d, found i32", kind);
    }
    if (binary) {
      call.optional_input(b, "b", args.b);
      call.require_same_type(b, a);
      call.require_shape(b, b.rows == 1 ? 1 : a.rows, b.cols == 1 ? 1 : a.cols);
      if (args.b.buffer == nullptr && a.dtype == F2I_I32 &&
          !(scalar >= INT32_MIN && scalar <= INT32_MAX && scalar == static_cast<int32_t>(scalar))) {
        call.invalid("scalar: expected an integer that i32 can hold, found %g", scalar);
      }
    }
    call.output(y, "y", args.y, &a);
    call.require_same_type(y, a);
    call.require_shape(y, a.rows, a.cols);
    call.enqueue();
  });
}
