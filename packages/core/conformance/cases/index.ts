import type { Suite } from '../suite.ts';
import activation from './activation.ts';
import adaptiveMaxPool1d from './adaptive_max_pool1d.ts';
import attention from './attention.ts';
import cast from './cast.ts';
import choleskyFactor from './cholesky_factor.ts';
import choleskySolve from './cholesky_solve.ts';
import columnStats from './column_stats.ts';
import concat from './concat.ts';
import conv2d from './conv2d.ts';
import cosineMatrix from './cosine_matrix.ts';
import eigh from './eigh.ts';
import elementwise from './elementwise.ts';
import gatedActivation from './gated_activation.ts';
import gather from './gather.ts';
import gemm from './gemm.ts';
import gram from './gram.ts';
import groupNorm from './group_norm.ts';
import layerNorm from './layer_norm.ts';
import linear from './linear.ts';
import pearsonColumns from './pearson_columns.ts';
import permute from './permute.ts';
import randomNormal from './random_normal.ts';
import relativePositionBias from './relative_position_bias.ts';
import resize2d from './resize2d.ts';
import rotary from './rotary.ts';
import slice from './slice.ts';
import softmax from './softmax.ts';
import standardize from './standardize.ts';
import topK from './top_k.ts';
import triangularSolve from './triangular_solve.ts';
import upsampleNearest from './upsample_nearest.ts';

/** The cases of every op. */
export const suites: readonly Suite[] = [
  activation,
  adaptiveMaxPool1d,
  attention,
  cast,
  choleskyFactor,
  choleskySolve,
  columnStats,
  concat,
  conv2d,
  cosineMatrix,
  eigh,
  elementwise,
  gatedActivation,
  gather,
  gemm,
  gram,
  groupNorm,
  layerNorm,
  linear,
  pearsonColumns,
  permute,
  randomNormal,
  relativePositionBias,
  resize2d,
  rotary,
  slice,
  softmax,
  standardize,
  topK,
  triangularSolve,
  upsampleNearest,
];
