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

} // namespace

void fill(f2i_context *context, f2i_buffer *buffer, const Draw &draw) {
  const bool direct = draw.dtype == F2I_F32 || draw.dtype == F2I_F64;
  f2i_matrix x = {buffer, 0, draw.rows, draw.cols, draw.cols, direct ? draw.dtype : F2I_F32, 0};
  if (!direct) ok(f2i_buffer_create(context, static_cast<uint64_t>(draw.rows * draw.cols) * 4, &x.buffer));
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
  if (direct) return;
  f2i_cast_args cast = F2I_INIT(f2i_cast_args);
  cast.x = x;
  cast.y = {buffer, 0, draw.rows, draw.cols, draw.cols, draw.dtype, 0};
  ok(f2i_cast(context, &cast));
  ok(f2i_buffer_destroy(context, x.buffer));
}

} // namespace replay
