import { activation } from './activation.ts';
import { adaptiveMaxPool1d } from './adaptive_max_pool1d.ts';
import { attention } from './attention.ts';
import { cast } from './cast.ts';
import { choleskyFactor } from './cholesky_factor.ts';
import { choleskySolve } from './cholesky_solve.ts';
import { columnStats } from './column_stats.ts';
import { concat } from './concat.ts';
import { conv2d } from './conv2d.ts';
import { cosineMatrix } from './cosine_matrix.ts';
import { eigh } from './eigh.ts';
import { elementwise } from './elementwise.ts';
import { gatedActivation } from './gated_activation.ts';
import { gather } from './gather.ts';
import { gemm } from './gemm.ts';
import { gram } from './gram.ts';
import { groupNorm } from './group_norm.ts';
import type { Kernel } from './kernel.ts';
import { layerNorm } from './layer_norm.ts';
import { linear } from './linear.ts';
import { pearsonColumns } from './pearson_columns.ts';
import { permute } from './permute.ts';
import { randomNormal } from './random_normal.ts';
import { relativePositionBias } from './relative_position_bias.ts';
import { resize2d } from './resize2d.ts';
import { rotary } from './rotary.ts';
import { slice } from './slice.ts';
import { softmax } from './softmax.ts';
import { standardize } from './standardize.ts';
import { topK } from './top_k.ts';
import { triangularSolve } from './triangular_solve.ts';
import { upsampleNearest } from './upsample_nearest.ts';

/** Kernels by op. */
export const kernels: ReadonlyMap<string, Kernel> = new Map<string, Kernel>([
  ['activation', activation],
  ['adaptive_max_pool1d', adaptiveMaxPool1d],
  ['attention', attention],
  ['cast', cast],
  ['cholesky_factor', choleskyFactor],
  ['cholesky_solve', choleskySolve],
  ['column_stats', columnStats],
  ['concat', concat],
  ['conv2d', conv2d],
  ['cosine_matrix', cosineMatrix],
  ['eigh', eigh],
  ['elementwise', elementwise],
  ['gated_activation', gatedActivation],
  ['gather', gather],
  ['gemm', gemm],
  ['gram', gram],
  ['group_norm', groupNorm],
  ['layer_norm', layerNorm],
  ['linear', linear],
  ['pearson_columns', pearsonColumns],
  ['permute', permute],
  ['random_normal', randomNormal],
  ['relative_position_bias', relativePositionBias],
  ['resize2d', resize2d],
  ['rotary', rotary],
  ['slice', slice],
  ['softmax', softmax],
  ['standardize', standardize],
  ['top_k', topK],
  ['triangular_solve', triangularSolve],
  ['upsample_nearest', upsampleNearest],
]);
