import { adaptiveMaxPool1d } from './adaptive_max_pool1d.ts';
import { cast } from './cast.ts';
import { choleskyFactor } from './cholesky_factor.ts';
import { choleskySolve } from './cholesky_solve.ts';
import { columnStats } from './column_stats.ts';
import { cosineMatrix } from './cosine_matrix.ts';
import { eigh } from './eigh.ts';
import { elementwise } from './elementwise.ts';
import { gather } from './gather.ts';
import { gemm } from './gemm.ts';
import { gram } from './gram.ts';
import type { Kernel } from './kernel.ts';
import { linear } from './linear.ts';
import { pearsonColumns } from './pearson_columns.ts';
import { randomNormal } from './random_normal.ts';
import { standardize } from './standardize.ts';
import { topK } from './top_k.ts';
import { triangularSolve } from './triangular_solve.ts';
import { upsampleNearest } from './upsample_nearest.ts';

/** Kernels by op. */
export const kernels: ReadonlyMap<string, Kernel> = new Map<string, Kernel>([
  ['adaptive_max_pool1d', adaptiveMaxPool1d],
  ['cast', cast],
  ['cholesky_factor', choleskyFactor],
  ['cholesky_solve', choleskySolve],
  ['column_stats', columnStats],
  ['cosine_matrix', cosineMatrix],
  ['eigh', eigh],
  ['elementwise', elementwise],
  ['gather', gather],
  ['gemm', gemm],
  ['gram', gram],
  ['linear', linear],
  ['pearson_columns', pearsonColumns],
  ['random_normal', randomNormal],
  ['standardize', standardize],
  ['top_k', topK],
  ['triangular_solve', triangularSolve],
  ['upsample_nearest', upsampleNearest],
]);
