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
import type { ReferenceKernel } from './kernel.ts';
import { pearsonColumns } from './pearson_columns.ts';
import { standardize } from './standardize.ts';
import { topK } from './top_k.ts';
import { triangularSolve } from './triangular_solve.ts';

/** The float64 kernel of every op, by stem. */
export const referenceKernels: ReadonlyMap<string, ReferenceKernel> = new Map(
  Object.entries({
    cast,
    cholesky_factor: choleskyFactor,
    cholesky_solve: choleskySolve,
    column_stats: columnStats,
    cosine_matrix: cosineMatrix,
    eigh,
    elementwise,
    gather,
    gemm,
    gram,
    pearson_columns: pearsonColumns,
    standardize,
    top_k: topK,
    triangular_solve: triangularSolve,
  } as unknown as Record<string, ReferenceKernel>),
);
