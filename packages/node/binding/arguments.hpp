// The arguments of an op, packed by src/native/arguments.ts into one shared
// Float64Array: reading them costs nothing beside a call from JavaScript.
//
//   [0]          tag of the op
//   [1]          handle of its cancellation token, 0 for none
//   [2 .. 15]    its scalars
//   [16 + 6 i ..] operand i: handle of the buffer (0 for none), byte offset,
//                rows, columns, leading dimension, dtype
#pragma once

#include <cstddef>
#include <cstdint>

#include "f2i/f2i.h"
#include "handles.hpp"

namespace f2i::node {

class Arguments {
public:
  static constexpr size_t kLength = 256;

  Arguments(const double *values, const Handles<f2i_buffer> &buffers) : values_(values), buffers_(buffers) {}

  uint64_t tag() const { return static_cast<uint64_t>(values_[0]); }
  double token() const { return values_[1]; }
  double number(int i) const { return values_[2 + i]; }
  int32_t integer(int i) const { return static_cast<int32_t>(number(i)); }

  /// Reads the operands, in order, into the given matrices.
  template <class... Matrix> void operands(Matrix &...matrix) {
    const double *at = values_ + kOperands;
    ((read(at, matrix), at += 6), ...);
  }

  /// Reads operand i, for ops with a list of them.
  f2i_matrix operand(size_t i) {
    f2i_matrix matrix = {};
    read(values_ + kOperands + 6 * i, matrix);
    return matrix;
  }

  /// The first operand whose buffer was freed or never existed, or -1.
  int stale_operand() const { return stale_; }

private:
  static constexpr size_t kOperands = 16;

  void read(const double *at, f2i_matrix &matrix) {
    const int index = static_cast<int>(at - values_ - kOperands) / 6;
    if (at[0] != 0) {
      matrix.buffer = buffers_.find(at[0]);
      if (!matrix.buffer && stale_ < 0) stale_ = index;
    }
    matrix.offset = static_cast<uint64_t>(at[1]);
    matrix.rows = static_cast<int64_t>(at[2]);
    matrix.cols = static_cast<int64_t>(at[3]);
    matrix.ld = static_cast<int64_t>(at[4]);
    matrix.dtype = static_cast<f2i_dtype>(at[5]);
  }

  const double *values_;
  const Handles<f2i_buffer> &buffers_;
  int stale_ = -1;
};

} // namespace f2i::node
