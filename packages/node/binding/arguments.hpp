// The arguments of an op, packed by src/native/arguments.ts into one shared
// Float64Array: reading them costs nothing beside a call from JavaScript.
//
//   [0]          tag of the op
//   [1]          handle of its cancellation token, 0 for none
//   [2 .. 15]    its scalars
//   [16 + 6 i ..] operand i: handle of the buffer (0 for none), byte offset,
//                rows, columns, leading dimension, dtype
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "f2i/f2i.h"
#include "handles.hpp"

namespace f2i::node {

class Arguments {
public:
  static constexpr size_t kLength = 256;

  Arguments(const double *values, const Handles<f2i_buffer> &buffers) : values_(values), buffers_(buffers) {}

  uint64_t tag() const { return static_cast<uint64_t>(values_[0]); }
  double token() const { return values_[1]; }

  /// Reads the next scalars, in order, as what the fields are.
  template <class... Scalar> Arguments &scalars(Scalar &...scalar) {
    ((scalar = static_cast<Scalar>(values_[kScalars + scalars_++])), ...);
    return *this;
  }

  /// Reads the operands, in order, into the given matrices.
  template <class... Matrix> void operands(Matrix &...matrix) {
    const double *at = values_ + kOperands;
    ((read(at, matrix), at += kOperand), ...);
  }

  /// Reads `count` operands from `first` on, for ops with a list of them; it lives as long as this object.
  const f2i_matrix *list(int first, int count) {
    const int most = static_cast<int>(std::size(list_));
    for (int i = 0; i < count && i < most; ++i) {
      list_[i] = {};
      read(values_ + kOperands + kOperand * (first + i), list_[i]);
    }
    return list_;
  }

  /// The first operand whose buffer was freed or never existed, or -1.
  int stale_operand() const { return stale_; }

private:
  static constexpr int kScalars = 2, kOperands = 16, kOperand = 6;

  void read(const double *at, f2i_matrix &matrix) {
    const int index = static_cast<int>(at - values_ - kOperands) / kOperand;
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
  int scalars_ = 0;
  int stale_ = -1;
  f2i_matrix list_[std::max<int>(F2I_MAX_PARTS, F2I_MAX_SHARDS)];
};

} // namespace f2i::node
