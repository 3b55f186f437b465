// The CPU drivers, one per op, defined in src/cpu/<op>.cpp. Shapes, types and
// strides have been checked by src/abi.cpp: a driver may rely on them.
#pragma once

#include <vector>

#include "runtime/exec.hpp"

namespace f2i::cpu {

struct Gemm {
  bool trans_a = false, trans_b = false;
  bool shared_b = false; // one plane of b for all
  int64_t batch = 1;
  double alpha = 1, beta = 0;
  View a, b, c, bias, y; // planes follow each other by their rows; bias: one row, or one a plane

  /// Extents of a plane.
  int64_t m() const { return y.rows / batch; }
  int64_t n() const { return y.cols; }
  int64_t k() const { return trans_a ? a.rows / batch : a.cols; }
};
f2i_status gemm(Exec &ex, const Gemm &op);

struct Linear {
  f2i_activation_kind activation = F2I_ACTIVATION_NONE;
  View x, bias, residual, y;
  std::vector<View> weights;
};
f2i_status linear(Exec &ex, const Linear &op);

struct Activation {
  f2i_activation_kind kind = F2I_ACTIVATION_NONE;
  View x, y;
};
f2i_status activation(Exec &ex, const Activation &op);

struct GatedActivation {
  f2i_activation_kind kind = F2I_ACTIVATION_NONE;
  View x, y;
};
f2i_status gated_activation(Exec &ex, const GatedActivation &op);

struct Attention {
  f2i_attention_layout layout = F2I_HEADS_FIRST;
  bool cosine = false, causal = false;
  bool shared = false;   // one k and v for all heads
  bool repeated = false; // the same, but with a null key for each head
  bool bias_batch = false, bias_heads = false;
  int64_t batch = 0, heads = 0;
  double scale = 1;
  View q, k, v, null_key, null_value, bias, mask, y, lse;
};
f2i_status attention(Exec &ex, const Attention &op);

struct LayerNorm {
  f2i_activation_kind activation = F2I_ACTIVATION_NONE;
  bool stable = false;
  double eps = 0;
  View x, gain, bias, y;
};
f2i_status layer_norm(Exec &ex, const LayerNorm &op);

struct GroupNorm {
  f2i_activation_kind activation = F2I_ACTIVATION_NONE;
  double eps = 0;
  int64_t channels = 1, groups = 1;
  View x, gain, bias, y; // one row a channel
};
f2i_status group_norm(Exec &ex, const GroupNorm &op);

struct Softmax {
  bool log = false;
  View x, y;
};
f2i_status softmax(Exec &ex, const Softmax &op);

struct Conv2d {
  f2i_activation_kind activation = F2I_ACTIVATION_NONE;
  int64_t batch = 0, channels = 0, height = 0, width = 0;
  int64_t kernel_height = 1, kernel_width = 1, stride = 1, top = 0, left = 0, groups = 1;
  int64_t out_height = 0, out_width = 0;
  View x, w, bias, residual, y;
};
f2i_status conv2d(Exec &ex, const Conv2d &op);

struct Concat {
  std::vector<View> parts;
  View y;
};
f2i_status concat(Exec &ex, const Concat &op);

struct Slice {
  int64_t start = 0;
  View x, y;
};
f2i_status slice(Exec &ex, const Slice &op);

struct Permute {
  int rank = 0;
  int64_t shape[F2I_MAX_RANK] = {};
  int axes[F2I_MAX_RANK] = {};
  View x, y;
};
f2i_status permute(Exec &ex, const Permute &op);

struct Rotary {
  int64_t inside = 1;
  View x, cos, sin, y;
};
f2i_status rotary(Exec &ex, const Rotary &op);

struct RelativePositionBias {
  const int32_t *buckets = nullptr;
  View table, y;
};
f2i_status relative_position_bias(Exec &ex, const RelativePositionBias &op);

struct UpsampleNearest {
  int64_t factor = 1;
  View x, y;
};
f2i_status upsample_nearest(Exec &ex, const UpsampleNearest &op);

/// The positions [first[i], first[i] + count) that position i is made of, and their weights.
struct Taps {
  int64_t outputs = 0, count = 0;
  std::vector<int32_t> first;
  std::vector<double> weights; // [outputs, count]
};

struct Resize2d {
  int64_t height = 0; // of a picture of x
  Taps rows, columns;
  View x, y;
};
f2i_status resize2d(Exec &ex, const Resize2d &op);

struct AdaptiveMaxPool1d {
  View x, y;
};
f2i_status adaptive_max_pool1d(Exec &ex, const AdaptiveMaxPool1d &op);

struct RandomNormal {
  uint64_t seed = 0, offset = 0;
  View y;
};
f2i_status random_normal(Exec &ex, const RandomNormal &op);

struct Gram {
  bool columns = false;
  double alpha = 1;
  View x, y;
};
f2i_status gram(Exec &ex, const Gram &op);

struct CholeskyFactor {
  double shift = 0;
  View a, y;
};
f2i_status cholesky_factor(Exec &ex, const CholeskyFactor &op);

struct CholeskySolve {
  View l, b, y;
};
f2i_status cholesky_solve(Exec &ex, const CholeskySolve &op);

struct TriangularSolve {
  bool transpose = false;
  View l, b, y;
};
f2i_status triangular_solve(Exec &ex, const TriangularSolve &op);

struct Eigh {
  View a, w, q;
};
f2i_status eigh(Exec &ex, const Eigh &op);

struct ColumnStats {
  int ddof = 0;
  View x, mean, std;
};
f2i_status column_stats(Exec &ex, const ColumnStats &op);

struct Standardize {
  View x, mean, std, y;
};
f2i_status standardize(Exec &ex, const Standardize &op);

struct PearsonColumns {
  View a, b, y;
};
f2i_status pearson_columns(Exec &ex, const PearsonColumns &op);

struct CosineMatrix {
  View a, b, y;
};
f2i_status cosine_matrix(Exec &ex, const CosineMatrix &op);

struct TopK {
  bool smallest = false;
  View x, values, indices;
};
f2i_status top_k(Exec &ex, const TopK &op);

struct Elementwise {
  f2i_elementwise_kind kind = F2I_ADD;
  double scalar = 0;
  View a, b, y;
};
f2i_status elementwise(Exec &ex, const Elementwise &op);

struct Gather {
  const int32_t *row_indices = nullptr, *col_indices = nullptr;
  View x, y;
};
f2i_status gather(Exec &ex, const Gather &op);

struct Cast {
  View x, y;
};
f2i_status cast(Exec &ex, const Cast &op);

} // namespace f2i::cpu
