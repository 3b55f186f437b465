import { activationSpec } from './activation.ts';
import { adaptiveMaxPool1dSpec } from './adaptive_max_pool1d.ts';
import { attentionSpec } from './attention.ts';
import { castSpec } from './cast.ts';
import { choleskyFactorSpec } from './cholesky_factor.ts';
import { choleskySolveSpec } from './cholesky_solve.ts';
import { columnStatsSpec } from './column_stats.ts';
import { concatSpec } from './concat.ts';
import { conv2dSpec } from './conv2d.ts';
import { cosineMatrixSpec } from './cosine_matrix.ts';
import { eighSpec } from './eigh.ts';
import { elementwiseSpec } from './elementwise.ts';
import { gatedActivationSpec } from './gated_activation.ts';
import { gatherSpec } from './gather.ts';
import { gemmSpec } from './gemm.ts';
import { gramSpec } from './gram.ts';
import { groupNormSpec } from './group_norm.ts';
import { layerNormSpec } from './layer_norm.ts';
import { linearSpec } from './linear.ts';
import type { OpSpec } from './op.ts';
import { pearsonColumnsSpec } from './pearson_columns.ts';
import { permuteSpec } from './permute.ts';
import { randomNormalSpec } from './random_normal.ts';
import { relativePositionBiasSpec } from './relative_position_bias.ts';
import { resize2dSpec } from './resize2d.ts';
import { rotarySpec } from './rotary.ts';
import { sliceSpec } from './slice.ts';
import { softmaxSpec } from './softmax.ts';
import { standardizeSpec } from './standardize.ts';
import { topKSpec } from './top_k.ts';
import { triangularSolveSpec } from './triangular_solve.ts';
import { upsampleNearestSpec } from './upsample_nearest.ts';

export {
  type ActivationAttributes,
  type ActivationKind,
  activation,
  type FusedActivation,
  gelu,
  relu,
  silu,
} from './activation.ts';
export { type AdaptiveMaxPool1dAttributes, adaptiveMaxPool1d } from './adaptive_max_pool1d.ts';
export {
  type AttentionAttributes,
  type AttentionExtents,
  type AttentionLayout,
  type AttentionOptions,
  attention,
  attentionExtents,
  attentionWithLse,
} from './attention.ts';
export { type CastAttributes, cast } from './cast.ts';
export { type CholeskyFactorAttributes, choleskyFactor } from './cholesky_factor.ts';
export { choleskySolve } from './cholesky_solve.ts';
export { type ColumnStatsAttributes, columnStats } from './column_stats.ts';
export { type ConcatAttributes, concat } from './concat.ts';
export { type Conv2dAttributes, type Conv2dOptions, conv2d, type Padding } from './conv2d.ts';
export { cosineMatrix } from './cosine_matrix.ts';
export { eigh } from './eigh.ts';
export {
  abs,
  add,
  asMatrix,
  type BinaryKind,
  div,
  type ElementwiseAttributes,
  exp,
  log,
  maximum,
  minimum,
  mul,
  neg,
  sqrt,
  squareOf,
  sub,
  type UnaryKind,
} from './elementwise.ts';
export { type GatedActivationAttributes, geglu, swiglu } from './gated_activation.ts';
export { type GatherAttributes, gather } from './gather.ts';
export { type GemmAttributes, type GemmOptions, gemm, gemmBatch } from './gemm.ts';
export { type GramAttributes, gram } from './gram.ts';
export { type GroupNormAttributes, groupNorm } from './group_norm.ts';
export { type LayerNormAttributes, type LayerNormOptions, layerNorm } from './layer_norm.ts';
export { type LinearAttributes, type LinearOptions, linear } from './linear.ts';
export type { Attributes, OpOptions, OpSpec, ToleranceFamily } from './op.ts';
export { pearsonColumns } from './pearson_columns.ts';
export { type PermuteAttributes, permute } from './permute.ts';
export {
  type RandomNormalAttributes,
  type RandomNormalOptions,
  randomNormal,
  randomWords,
} from './random_normal.ts';
export {
  type PositionBuckets,
  type RelativePositionBiasAttributes,
  relativePositionBias,
} from './relative_position_bias.ts';
export { type Resize2dAttributes, type Resize2dOptions, resize2d } from './resize2d.ts';
export { RESIZE_MODES, type ResizeMode, type ResizeTaps, resizeTaps } from './resize2d_taps.ts';
export { type RotaryAttributes, rotary } from './rotary.ts';
export { type SliceAttributes, slice } from './slice.ts';
export { type SoftmaxAttributes, softmax } from './softmax.ts';
export { standardize } from './standardize.ts';
export { type TopKAttributes, topK } from './top_k.ts';
export { type TriangularSolveAttributes, triangularSolve } from './triangular_solve.ts';
export { type UpsampleNearestAttributes, upsampleNearest } from './upsample_nearest.ts';

/** Every op, by stem. */
export const ops: ReadonlyMap<string, OpSpec> = new Map(
  [
    activationSpec,
    adaptiveMaxPool1dSpec,
    attentionSpec,
    castSpec,
    choleskyFactorSpec,
    choleskySolveSpec,
    columnStatsSpec,
    concatSpec,
    conv2dSpec,
    cosineMatrixSpec,
    eighSpec,
    elementwiseSpec,
    gatedActivationSpec,
    gatherSpec,
    gemmSpec,
    gramSpec,
    groupNormSpec,
    layerNormSpec,
    linearSpec,
    pearsonColumnsSpec,
    permuteSpec,
    randomNormalSpec,
    relativePositionBiasSpec,
    resize2dSpec,
    rotarySpec,
    sliceSpec,
    softmaxSpec,
    standardizeSpec,
    topKSpec,
    triangularSolveSpec,
    upsampleNearestSpec,
  ].map((spec) => [spec.name, spec as unknown as OpSpec]),
);
