#include "abi/call.hpp"

extern "C" f2i_status f2i_conv2d(f2i_context *context, const f2i_conv2d_args *arguments) {
  using namespace f2i;
  return abi::guard([&] {
    abi::Call<cpu::Conv2d> call(context, "conv2d", cpu::conv2d);
    const auto args = abi::read_struct("conv2d", arguments);
    cpu::Conv2d &op = call.op;
    call.reserved(args.reserved);
    op.activation = call.activation("activation", args.activation);
    const auto at_least = [&](const char *name, int64_t value, int64_t least) {
      if (value < least || value > INT32_MAX) {
        call.invalid("%s: expected %lld or more, found %lld", name, static_cast<long long>(least),
                     static_cast<long long>(value));
      }
      return value;
    };
    op.stride = at_least("stride", args.stride, 1);
    op.groups = at_least("groups", args.groups, 1);
    op.top = at_least("top", args.top, 0);
    const int64_t bottom = at_least("bottom", args.bottom, 0);
    op.left = at_least("left", args.left, 0);
    const int64_t right = at_least("right", args.right, 0);
    op.batch = at_least("batch", args.batch, 0);
    op.channels = at_least("channels", args.channels, 0);
    op.height = at_least("height", args.height, 0);
    op.kernel_height = at_least("kernel_height", args.kernel_height, 1);
    op.kernel_width = at_least("kernel_width", args.kernel_width, 1);

    call.input(op.x, "x", args.x);
    call.require_type(op.x, {F2I_F32, F2I_F64});
    op.width = op.x.cols;
    const int64_t planes = call.product("x", op.batch, op.channels);
    call.require_shape(op.x, call.product("x", planes, op.height), op.width);
    if (op.x.ld != op.x.cols && op.x.rows > 1) call.invalid("x: ld: expected rows without a gap");
    if (op.channels % op.groups != 0) call.invalid("groups: expected a divisor of the channels");
    const int64_t room_y = op.height + op.top + bottom - op.kernel_height;
    const int64_t room_x = call.sum("x", op.width, op.left + right) - op.kernel_width;
    if (room_y < 0 || room_x < 0) call.invalid("kernel: expected one that fits the padded picture");
    op.out_height = room_y / op.stride + 1;
    op.out_width = room_x / op.stride + 1;
    call.input(op.w, "w", args.w);
    if (op.x.dtype == F2I_F64) call.require_type(op.w, {F2I_F64});
    else call.require_type(op.w, {F2I_F32, F2I_F16, F2I_BF16});
    const int64_t taps = op.kernel_height * op.kernel_width;
    call.require_shape(op.w, op.w.rows, call.product("w", op.channels / op.groups, taps));
    if (op.w.rows % op.groups != 0) call.invalid("groups: expected a divisor of the outputs");
    call.optional_input(op.bias, "bias", args.bias);
    call.require_same_type(op.bias, op.x);
    call.require_shape(op.bias, 1, op.w.rows);
    const int64_t out_planes = call.product("y", op.batch, op.w.rows);
    const int64_t out_pixels = call.product("y", op.out_height, op.out_width);
    call.optional_input(op.residual, "residual", args.residual);
    call.require_same_type(op.residual, op.x);
    call.require_shape(op.residual, out_planes, out_pixels);
    call.output(op.y, "y", args.y);
    call.require_same_type(op.y, op.x);
    call.require_shape(op.y, out_planes, out_pixels);
    for (const View *view : {&op.residual, &op.y}) {
      if (view->ld != view->cols && view->rows > 1) call.invalid("y, residual: ld: expected rows without a gap");
    }
    call.allow_empty_inputs(); // no channels
    call.enqueue();
  });
}
