// Inner kernels of attention: plain declarations, one table an instruction set.
//
// A panel is `width` queries side by side, so that everything is vertical: lane i belongs to query i,
// maxima and sums over keys need no shuffling, and the exponentials lie as the second product reads
// them. Packed operands: queries [dim][width]; keys in panels of `key_rows`, key j of panel i at
// [p key_rows + j]; values in panels of `value_rows` dims, dim r of panel i at [key value_rows + r].
#pragma once

#include <stdint.h>

namespace f2i::cpu {

/// A panel of queries and a block of at most `block` keys.
template <class T> struct AttentionMeeting {
  int64_t keys, dim, value_dim, value_rows;
  const T *queries, *key_panels, *value_panels;
  const T *bias;          // [keys][width], added to the logits; null: none
  const uint8_t *visible; // 0 hides a key; null: all are seen
  int64_t first_hidden;   // lane i sees keys below first_hidden + i
  T *scores;              // [keys][width], scratch
  T *maximum, *sum;       // [width]: of all keys up to now; the sum of exp(logit - maximum)
  T *out;                 // [value_dim][width]: sums of exp(logit - maximum) value
};

template <class T> struct AttentionKernels {
  int64_t width;           // queries of a panel
  int64_t block;           // most keys of a block, a multiple of key_rows
  int64_t key_rows;
  int64_t most_value_rows; // value_rows may be at most this
  void (*meet)(const AttentionMeeting<T> &meeting);
  /// y[i] = factor x[i].
  void (*scale)(int64_t n, T factor, const T *x, T *y);
};

extern const AttentionKernels<float> attention_f32_portable, attention_f32_avx2, attention_f32_avx512;
extern const AttentionKernels<double> attention_f64_portable, attention_f64_avx2, attention_f64_avx512;

} // namespace f2i::cpu
