import { F2iError } from '../../error.ts';
import { cast, columnStats, sub } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import { crossValidate } from './crossValidate.ts';
import { normalEquations } from './equations.ts';
import { leaveOneOut } from './leaveOneOut.ts';
import { choosePrecision, type Numerics, type Precision, precisionWarning } from './precision.ts';
import { ALPHA_SCORES, type AlphaScore } from './scores.ts';
import { type AlphaSelection, borderWarnings, selectAlphas } from './select.ts';
import type { Factorisation } from './smoother.ts';
import { solveRidge } from './solve.ts';
import type { TargetSource } from './targets.ts';
import type { Fold, RidgeForm, StepOptions } from './types.ts';

export interface RidgeOptions extends StepOptions {
  /** One penalty for all targets, or one for each; or a grid of which cross-validation picks: see `folds`. */
  alpha?: number | ArrayLike<number> | undefined;
  grid?: readonly number[] | undefined;
  /** Folds to choose the alpha by; `leave-one-out` does so without fitting n times. */
  folds?: readonly Fold[] | 'leave-one-out' | undefined;
  /** `negativeSquaredError` by default, as himalaya. */
  score?: AlphaScore | undefined;
  /** Choose an alpha for each target (default), or one for all. */
  perTarget?: boolean | undefined;
  /** Centres voxels and targets on their training means (default). */
  intercept?: boolean | undefined;
  /** Equations to solve; by default the smaller ones. */
  form?: RidgeForm | 'auto' | undefined;
  /** Coefficients to return; by default primal ones. */
  coefficients?: RidgeForm | undefined;
  precision?: Precision | 'auto' | undefined;
  factorisation?: Factorisation | 'auto' | undefined;
}

export interface RidgeFit {
  readonly form: RidgeForm;
  /** What `values` weigh: voxels [p, t] or training trials [n, t]. */
  readonly coefficients: RidgeForm;
  readonly values: Float32Array | Float64Array;
  /** [p]; zeros without an intercept. */
  readonly voxelMean: Float64Array;
  /** [t]; zeros without an intercept. Predictions are (x - voxelMean) W + targetMean. */
  readonly targetMean: Float64Array;
  /** Penalty of each target, [t]. */
  readonly alphas: Float64Array;
  /** How the alphas were chosen, if they were. */
  readonly selection: AlphaSelection | undefined;
  readonly numerics: Numerics;
  readonly warnings: readonly string[];
}

/**
 * Ridge regression of many targets on one design: minimises |y - x w|² + alpha |w|² for each target, all targets at
 * once. One Gram matrix, one factorisation for each alpha (and fold).
 *
 * @param x voxels [n, p], f32 or f64, without NaN
 * @param targets n trials
 * @throws INVALID_ARGUMENT for options that do not fit together; NOT_POSITIVE_DEFINITE when alpha is too small for
 *   collinear voxels; CANCELLED
 */
export async function fitRidge(x: Tensor, targets: TargetSource, options: RidgeOptions): Promise<RidgeFit> {
  const { backend } = x;
  const { signal, intercept = true, coefficients = 'primal', perTarget = true } = options;
  const { score = 'negativeSquaredError' } = options;
  const ops = { signal };
  const [n, p] = checkDesign(x, targets);
  const grid = checkAlphas(options, targets.count);
  if (!ALPHA_SCORES.includes(score)) {
    throw invalid('score', 'unknown score', ALPHA_SCORES.join(', '), String(score));
  }
  const form =
    options.form === undefined || options.form === 'auto' ? (n <= p ? 'dual' : 'primal') : options.form;
  if (form === 'primal' && coefficients === 'dual') {
    throw invalid('coefficients', 'weights of trials come from dual equations', 'form dual', 'form primal');
  }

  const centre = (design: Tensor): { design: Tensor; mean: Tensor | undefined } => {
    if (!intercept) return { design, mean: undefined };
    const { mean } = columnStats(design, ops);
    return { design: sub(design, mean, ops), mean };
  };
  const owned: Tensor[] = [];
  const own = <T extends Tensor | undefined>(tensor: T): T => {
    if (tensor && tensor !== x) owned.push(tensor);
    return tensor;
  };
  try {
    let { design, mean } = backend.scope(() => centre(x));
    own(design);
    own(mean);
    const numerics = await choosePrecision(design, Math.min(...grid), options.precision ?? 'auto', ops);
    if (numerics.precision !== design.dtype) {
      for (const tensor of owned.splice(0)) tensor.dispose();
      ({ design, mean } = backend.scope(() => centre(cast(x, numerics.precision, ops))));
      own(design);
      own(mean);
    }
    const voxelMean = mean ? Float64Array.from((await mean.download()) as Float64Array) : new Float64Array(p);
    checkFinite(voxelMean);
    const equations = normalEquations(design, form, ops);
    own(equations.matrix);
    options.onProgress?.({ phase: 'prepare', done: 1, total: 1 });

    let selection: AlphaSelection | undefined;
    let alphas: Float64Array;
    if (options.grid) {
      const folds = options.folds!;
      const step = { ...options, score, intercept };
      const table =
        folds === 'leave-one-out'
          ? await leaveOneOut(equations, targets, grid, step)
          : await crossValidate(equations, targets, grid, folds, step);
      selection = selectAlphas(grid, table, perTarget);
      alphas = selection.alphas;
    } else {
      alphas = Float64Array.from(grid.length === 1 ? new Array(targets.count).fill(grid[0]!) : grid);
    }
    const { values, targetMean } = await solveRidge(equations, targets, alphas, {
      ...options,
      intercept,
      coefficients,
    });
    const warning = precisionWarning(numerics);
    const warnings = [...(warning ? [warning] : []), ...(selection ? borderWarnings(selection) : [])];
    return { form, coefficients, values, voxelMean, targetMean, alphas, selection, numerics, warnings };
  } finally {
    for (const tensor of owned) tensor.dispose();
  }
}

/** Intercepts for uncentred voxels, [t]: targetMean - voxelMean W. For primal coefficients. */
export function interceptOf({
  coefficients,
  values,
  voxelMean,
  targetMean,
}: Pick<RidgeFit, 'coefficients' | 'values' | 'voxelMean' | 'targetMean'>): Float64Array {
  if (coefficients !== 'primal') {
    throw invalid(
      'coefficients',
      'the intercept of uncentred voxels needs weights of voxels',
      'primal',
      'dual',
    );
  }
  const t = targetMean.length;
  const result = targetMean.slice();
  voxelMean.forEach((mean, row) => {
    for (let j = 0; j < t; j++) result[j]! -= mean * values[row * t + j]!;
  });
  return result;
}

export function checkDesign(x: Tensor, targets: TargetSource): [n: number, p: number] {
  if (x.shape.length !== 2 || (x.dtype !== 'f32' && x.dtype !== 'f64')) {
    throw invalid('voxels', 'the design must be a float matrix', 'f32 or f64 [trials, voxels]', String(x));
  }
  const [n, p] = x.shape as [number, number];
  if (targets.trials !== n) {
    throw invalid(
      'targets',
      'voxels and targets differ in their number of trials',
      `${n}`,
      `${targets.trials}`,
    );
  }
  if (n < 2 || p < 1) throw invalid('voxels', 'too little data', 'two trials, one voxel', `[${n}, ${p}]`);
  return [n, p];
}

/** All penalties that will be tried, checked. */
function checkAlphas({ alpha, grid, folds }: RidgeOptions, targets: number): readonly number[] {
  if ((alpha === undefined) === (grid === undefined)) {
    throw invalid(
      'alpha',
      'give either alpha, or a grid to choose from',
      'one of the two',
      alpha === undefined ? 'none' : 'both',
    );
  }
  if (grid !== undefined) {
    if (folds === undefined)
      throw invalid('folds', 'a grid of alphas needs folds', 'folds or leave-one-out', 'none');
    checkGrid(grid);
    return grid;
  }
  const list = typeof alpha === 'number' ? [alpha] : Array.from(alpha!);
  if (typeof alpha !== 'number' && list.length !== targets) {
    throw invalid('alpha', 'one alpha for each target', `${targets}`, `${list.length}`);
  }
  const bad = list.find((value) => !(value >= 0 && Number.isFinite(value)));
  if (bad !== undefined) throw invalid('alpha', 'an alpha is not negative', 'a finite number', `${bad}`);
  return list;
}

export function checkGrid(grid: readonly number[]): void {
  const bad = grid.find((value) => !(value > 0 && Number.isFinite(value)));
  if (grid.length === 0 || bad !== undefined) {
    throw invalid('grid', 'alphas of a grid are positive', 'finite numbers above 0', `${bad ?? 'none'}`);
  }
}

export function checkFinite(voxelMean: Float64Array): void {
  const bad = voxelMean.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw invalid('voxels', 'voxels hold NaN or infinity', 'finite values', `voxel ${bad}`);
}

export function invalid(field: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
