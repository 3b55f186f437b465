import type { Suite } from '../suite.ts';
import cast from './cast.ts';
import choleskyFactor from './cholesky_factor.ts';
import choleskySolve from './cholesky_solve.ts';
import columnStats from './column_stats.ts';
import cosineMatrix from './cosine_matrix.ts';
import eigh from './eigh.ts';
import elementwise from './elementwise.ts';
import gather from './gather.ts';
import gemm from './gemm.ts';
import gram from './gram.ts';
import pearsonColumns from './pearson_columns.ts';
import standardize from './standardize.ts';
import topK from './top_k.ts';
import triangularSolve from './triangular_solve.ts';

/** The cases of every op. */
export const suites: readonly Suite[] = [
  cast,
  choleskyFactor,
  choleskySolve,
  columnStats,
  cosineMatrix,
  eigh,
  elementwise,
  gather,
  gemm,
  gram,
  pearsonColumns,
  standardize,
  topK,
  triangularSolve,
];
