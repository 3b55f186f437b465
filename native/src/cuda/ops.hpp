// The drivers of this library, one an op, and the list that the core gets.
#pragma once

#include "cuda/device.hpp"

namespace f2i::cuda {

#define F2I_CUDA_OPS(OP)                                                                                               \
  OP(cpu::Elementwise, elementwise)                                                                                    \
  OP(cpu::Cast, cast)                                                                                                  \
  OP(cpu::Activation, activation)                                                                                      \
  OP(cpu::GatedActivation, gated_activation)                                                                           \
  OP(cpu::Standardize, standardize)                                                                                    \
  OP(cpu::Slice, slice)                                                                                                \
  OP(cpu::Concat, concat)                                                                                              \
  OP(cpu::Gather, gather)                                                                                              \
  OP(cpu::UpsampleNearest, upsample_nearest)                                                                           \
  OP(cpu::RelativePositionBias, relative_position_bias)                                                                \
  OP(cpu::Permute, permute)                                                                                            \
  OP(cpu::Rotary, rotary)                                                                                              \
  OP(cpu::Resize2d, resize2d)                                                                                          \
  OP(cpu::AdaptiveMaxPool1d, adaptive_max_pool1d)                                                                      \
  OP(cpu::RandomNormal, random_normal)                                                                                 \
  OP(cpu::Softmax, softmax)                                                                                            \
  OP(cpu::LayerNorm, layer_norm)                                                                                       \
  OP(cpu::GroupNorm, group_norm)                                                                                       \
  OP(cpu::ColumnStats, column_stats)                                                                                   \
  OP(cpu::PearsonColumns, pearson_columns)                                                                             \
  OP(cpu::Gemm, gemm)                                                                                                  \
  OP(cpu::Gram, gram)                                                                                                  \
  OP(cpu::CosineMatrix, cosine_matrix)                                                                                 \
  OP(cpu::Linear, linear)                                                                                              \
  OP(cpu::Conv2d, conv2d)                                                                                              \
  OP(cpu::CholeskyFactor, cholesky_factor)                                                                             \
  OP(cpu::TriangularSolve, triangular_solve)                                                                           \
  OP(cpu::CholeskySolve, cholesky_solve)                                                                               \
  OP(cpu::Eigh, eigh)                                                                                                  \
  OP(cpu::TopK, top_k)                                                                                                 \
  OP(cpu::Attention, attention)

#define F2I_DECLARE(Struct, driver) f2i_status driver(Exec &ex, const Struct &op);
F2I_CUDA_OPS(F2I_DECLARE)
#undef F2I_DECLARE

} // namespace f2i::cuda
