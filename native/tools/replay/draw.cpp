#include "draw.hpp"

#include <cmath>

#include "player.hpp"

namespace replay {
namespace {

void elementwise(f2i_context *context, const f2i_matrix &x, f2i_elementwise_kind kind, double scalar) {
  f2i_elementwise_args args = F2I_INIT(f2i_elementwise_args);
  args.kind = kind, args.scalar = scalar, args.a = x, args.y = x;
  ok(f2i_elementwise(context, &args));
}

template <class T> void write_diagonal(f2i_context *context, const f2i_matrix &x, double value) {
  const T entry = static_cast<T>(value);
  for (int64_t i = 0; i < x.rows; ++i) {
    ok(f2i_buffer_write(context, x.buffer, static_cast<uint64_t>(i * (x.ld + 1)) * sizeof(T), &entry, sizeof entry));
  }
}

/// A matrix of its own, for as long as what is enqueued needs it.
class Scratch {
public:
  Scratch(f2i_context *context, const Draw &draw, f2i_dtype dtype)
      : matrix{nullptr, 0, draw.rows, draw.cols, draw.cols, dtype, 0}, context_(context) {
    ok(f2i_buffer_create(context, static_cast<uint64_t>(draw.rows * draw.cols) * element_bytes(dtype), &matrix.buffer));
  }
  ~Scratch() { f2i_buffer_destroy(context_, matrix.buffer); }
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;

  f2i_matrix matrix;

private:
  f2i_context *const context_;
};

void cast(f2i_context *context, const f2i_matrix &x, const f2i_matrix &y) {
  f2i_cast_args args = F2I_INIT(f2i_cast_args);
  args.x = x, args.y = y;
  ok(f2i_cast(context, &args));
}

/// Draws f32 or f64 in place.
void draw_in(f2i_context *context, const f2i_matrix &x, const Draw &draw) {
  f2i_random_normal_args args = F2I_INIT(f2i_random_normal_args);
  args.seed = draw.seed, args.y = x;
  ok(f2i_random_normal(context, &args));
  const double n = static_cast<double>(draw.rows);
  if (draw.kind == "spread") {
    elementwise(context, x, F2I_ABS, 0);
    elementwise(context, x, F2I_ADD, 0.5);
  } else if (draw.kind == "triangular") { // the upper part is never read
    elementwise(context, x, F2I_MUL, 1 / std::sqrt(n));
  } else if (draw.kind != "normal" && draw.kind != "definite") {
    throw ScriptError("draw: expected normal, spread, definite or triangular, found " + draw.kind);
  }
  if (draw.kind == "definite" || draw.kind == "triangular") {
    const double diagonal = draw.kind == "definite" ? 2 * n : 2;
    if (x.dtype == F2I_F64) write_diagonal<double>(context, x, diagonal);
    else write_diagonal<float>(context, x, diagonal);
  }
  if (draw.scale != 1) elementwise(context, x, F2I_MUL, draw.scale);
}

} // namespace

void fill(f2i_context *context, f2i_buffer *buffer, const Draw &draw, bool in_double) {
  const f2i_dtype type = in_double ? F2I_F64 : draw.dtype, base = draw.dtype == F2I_F64 ? F2I_F64 : F2I_F32;
  const f2i_matrix target = {buffer, 0, draw.rows, draw.cols, draw.cols, type, 0};
  if (type == base) return draw_in(context, target, draw);
  const Scratch drawn(context, draw, base);
  draw_in(context, drawn.matrix, draw);
  if (draw.dtype == base || type == draw.dtype) return cast(context, drawn.matrix, target);
  const Scratch rounded(context, draw, draw.dtype); // to a half type, and from there to f64
  cast(context, drawn.matrix, rounded.matrix);
  cast(context, rounded.matrix, target);
}

} // namespace replay
