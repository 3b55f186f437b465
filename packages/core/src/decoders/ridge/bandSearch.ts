import { crossValidate } from './crossValidate.ts';
import type { NormalEquations } from './equations.ts';
import { leaveOneOut } from './leaveOneOut.ts';
import type { AlphaScore } from './scores.ts';
import { countAtBorder, selectAlphas } from './select.ts';
import type { Factorisation } from './smoother.ts';
import type { TargetSource } from './targets.ts';
import type { Fold, StepOptions } from './types.ts';

export interface BandSearchOptions extends StepOptions {
  /** Candidates: for each one weight a band, not negative; see `dirichletGammas`. */
  gammas: readonly ArrayLike<number>[];
  /** Penalties to choose from, each with each candidate. */
  grid: readonly number[];
  folds: readonly Fold[] | 'leave-one-out';
  /** `negativeSquaredError` by default, as himalaya. */
  score?: AlphaScore | undefined;
  /** Choose weights and penalty for each target (default), or once for all by the mean score. */
  perTarget?: boolean | undefined;
  /** Centres voxels and targets on their training means (default). */
  intercept?: boolean | undefined;
  factorisation?: Factorisation | 'auto' | undefined;
}

/** How the weights of the bands were chosen. */
export interface BandSelection {
  readonly gammas: readonly ArrayLike<number>[];
  readonly grid: readonly number[];
  /** Mean over folds of each candidate's score at its best alpha, [candidates, targets] row-major. */
  readonly table: Float64Array;
  /** Index of each target's candidate, [t]. */
  readonly chosen: Int32Array;
  /** Score of each target's candidate, [t]. */
  readonly scores: Float64Array;
  /** Targets whose alpha is the grid's smallest or largest value: the optimum may lie outside. */
  readonly atBorder: { readonly smallest: number; readonly largest: number };
}

/** Scores every candidate with every alpha, and keeps the best pair of each target. */
export async function searchBands(
  equationsOf: (draw: number) => NormalEquations,
  targets: TargetSource,
  options: BandSearchOptions,
): Promise<{ selection: BandSelection; alphas: Float64Array }> {
  const { gammas, grid, folds, perTarget = true, score = 'negativeSquaredError', intercept = true } = options;
  const t = targets.count;
  const table = new Float64Array(gammas.length * t);
  const chosen = new Int32Array(t);
  const alphas = new Float64Array(t);
  const scores = new Float64Array(t).fill(Number.NEGATIVE_INFINITY);
  for (const draw of gammas.keys()) {
    const step = {
      ...options,
      score,
      intercept,
      onProgress: nested(options.onProgress, draw, gammas.length),
    };
    const equations = equationsOf(draw);
    let found: Float64Array;
    try {
      found =
        folds === 'leave-one-out'
          ? await leaveOneOut(equations, targets, grid, step)
          : await crossValidate(equations, targets, grid, folds, step);
    } finally {
      equations.matrix.dispose();
    }
    const best = selectAlphas(grid, found, perTarget);
    table.set(best.scores, draw * t);
    const better = (j: number) =>
      perTarget ? best.scores[j]! > scores[j]! : mean(best.scores) > mean(scores);
    const taken = Array.from(scores.keys()).filter(better);
    for (const j of taken) {
      chosen[j] = draw;
      alphas[j] = best.alphas[j]!;
      scores[j] = best.scores[j]!;
    }
  }
  const atBorder = countAtBorder(grid, alphas);
  return { selection: { gammas, grid, table, chosen, scores, atBorder }, alphas };
}

/** Progress of one candidate out of several. */
function nested(
  onProgress: StepOptions['onProgress'],
  draw: number,
  draws: number,
): StepOptions['onProgress'] {
  return (
    onProgress &&
    (({ phase, done, total }) => onProgress({ phase, done: draw * total + done, total: draws * total }))
  );
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
