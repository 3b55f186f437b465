import { add, gather, gemm, gram, type OpOptions, sub } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import { columnMeans, meanWeights, transpose } from './matrices.ts';
import type { Fold, RidgeForm } from './types.ts';

/**
 * The normal equations of one design, shared by all targets and all alphas:
 *   dual    (x xᵀ + alpha I) c = y        n x n
 *   primal  (xᵀ x + alpha I) w = xᵀ y     p x p
 */
export type NormalEquations = DualEquations | PrimalEquations;

/** They hold all that is needed of the design, which may have been read in blocks and be nowhere as a whole. */
export interface DualEquations {
  readonly form: 'dual';
  /** Centred design [n, p] (as given without an intercept). */
  readonly design?: Tensor | undefined;
  /** Gram matrix [n, n]. */
  readonly matrix: Tensor;
}

export interface PrimalEquations {
  readonly form: 'primal';
  /** Centred design [n, p] (as given without an intercept). */
  readonly design: Tensor;
  /** Gram matrix [p, p]. */
  readonly matrix: Tensor;
}

/** The equations of a fold's training rows, and how its held-out rows meet them. */
export type FoldEquations = NormalEquations & {
  /** Held-out rows against the unknowns, transposed: [n_train, m] or [p, m]; predictions are crossᵀ times a solution. */
  readonly cross: Tensor;
};

/** @param design [n, p], centred if there is an intercept */
export function normalEquations(
  design: Tensor,
  form: RidgeForm,
  options: OpOptions,
): NormalEquations & { readonly design: Tensor } {
  return { form, design, matrix: gram(design, { ...options, of: form === 'dual' ? 'rows' : 'columns' }) };
}

/** Number of trials of the equations, n. */
export function trialsOf(equations: NormalEquations): number {
  return equations.form === 'dual' ? equations.matrix.shape[0]! : equations.design.shape[0]!;
}

/** Right-hand sides of centred targets y [n, t]: y itself, or xᵀ y. */
export function rightSides(equations: NormalEquations, y: Tensor, options: OpOptions): Tensor {
  return equations.form === 'dual' ? y : gemm(equations.design, y, { ...options, transA: true });
}

/**
 * Equations of a fold out of those of all rows. With an intercept they are centred on the fold's training rows
 * alone, exactly as if the fold had been fitted by itself.
 */
export function foldEquations(
  all: NormalEquations,
  fold: Fold,
  intercept: boolean,
  options: OpOptions,
): FoldEquations {
  const train = Int32Array.from(fold.train);
  const test = Int32Array.from(fold.test);
  return all.form === 'dual'
    ? dualFold(all, train, test, intercept, options)
    : primalFold(all, train, test, intercept, options);
}

/**
 * With k(i, j) = x_i . x_j and the training mean m:  (x_i - m).(x_j - m) = k(i, j) - x_i.m - x_j.m + m.m, where all
 * terms are means of entries of the Gram matrix (Schölkopf, Smola and Müller 1998, appendix A).
 */
function dualFold(
  { matrix: k }: DualEquations,
  train: Int32Array,
  test: Int32Array,
  intercept: boolean,
  options: OpOptions,
): FoldEquations {
  let matrix = gather(k, { ...options, rows: train, cols: train });
  let cross = gather(k, { ...options, rows: train, cols: test });
  if (intercept) {
    const weights = meanWeights(k.backend, train.length, k.dtype);
    const trainByMean = gemm(matrix, weights, options); // x_i . m, [n_train, 1]
    const testByMean = gemm(weights, cross, { ...options, transA: true }); // [1, m]
    const meanByMean = gemm(weights, trainByMean, { ...options, transA: true }); // [1, 1]
    const centre = (block: Tensor, byMean: Tensor) =>
      add(sub(sub(block, trainByMean, options), byMean, options), meanByMean, options);
    matrix = centre(matrix, trainByMean.reshape(1, train.length));
    cross = centre(cross, testByMean);
  }
  return { form: 'dual', matrix, cross };
}

function primalFold(
  { design, matrix: g }: PrimalEquations,
  train: Int32Array,
  test: Int32Array,
  intercept: boolean,
  options: OpOptions,
): FoldEquations {
  let x = gather(design, { ...options, rows: train });
  let held = gather(design, { ...options, rows: test });
  // xᵀ x of the training rows is what the held-out rows leave of the whole, unless they are most of it.
  const n = design.shape[0]!;
  const subtract = train.length + test.length === n && train.length >= test.length;
  let matrix = subtract ? sub(g, gram(held, { ...options, of: 'columns' }), options) : undefined;
  if (intercept) {
    const mean = columnMeans(x, options);
    x = sub(x, mean, options);
    held = sub(held, mean, options);
    matrix &&= gemm(mean, mean, { ...options, transA: true, alpha: -train.length, c: matrix });
  }
  matrix ??= gram(x, { ...options, of: 'columns' });
  return { form: 'primal', design: x, matrix, cross: transpose(held, options) };
}
