import { castSpec } from './cast.ts';
import { choleskyFactorSpec } from './cholesky_factor.ts';
import { choleskySolveSpec } from './cholesky_solve.ts';
import { columnStatsSpec } from './column_stats.ts';
import { cosineMatrixSpec } from './cosine_matrix.ts';
import { eighSpec } from './eigh.ts';
import { elementwiseSpec } from './elementwise.ts';
import { gatherSpec } from './gather.ts';
import { gemmSpec } from './gemm.ts';
import { gramSpec } from './gram.ts';
import type { OpSpec } from './op.ts';
import { pearsonColumnsSpec } from './pearson_columns.ts';
import { standardizeSpec } from './standardize.ts';
import { topKSpec } from './top_k.ts';
import { triangularSolveSpec } from './triangular_solve.ts';

export { type CastAttributes, cast } from './cast.ts';
export { type CholeskyFactorAttributes, choleskyFactor } from './cholesky_factor.ts';
export { choleskySolve } from './cholesky_solve.ts';
export { type ColumnStatsAttributes, columnStats } from './column_stats.ts';
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
export { type GatherAttributes, gather } from './gather.ts';
export { type GemmAttributes, gemm } from './gemm.ts';
export { type GramAttributes, gram } from './gram.ts';
export type { Attributes, OpOptions, OpSpec, ToleranceFamily } from './op.ts';
export { pearsonColumns } from './pearson_columns.ts';
export { standardize } from './standardize.ts';
export { type TopKAttributes, topK } from './top_k.ts';
export { type TriangularSolveAttributes, triangularSolve } from './triangular_solve.ts';

/** Every op, by stem. */
export const ops: ReadonlyMap<string, OpSpec> = new Map(
  [
    castSpec,
    choleskyFactorSpec,
    choleskySolveSpec,
    columnStatsSpec,
    cosineMatrixSpec,
    eighSpec,
    elementwiseSpec,
    gatherSpec,
    gemmSpec,
    gramSpec,
    pearsonColumnsSpec,
    standardizeSpec,
    topKSpec,
    triangularSolveSpec,
  ].map((spec) => [spec.name, spec as unknown as OpSpec]),
);
