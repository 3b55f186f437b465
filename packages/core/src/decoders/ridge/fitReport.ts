import type { FittedStep, SawTest } from '../../bundle/contents.ts';
import type { BandedRidgeFit } from './banded.ts';
import type { RidgeFit } from './fit.ts';
import type { RidgeModel } from './model.ts';
import type { AlphaScore } from './scores.ts';

/** What both kinds of fits say. */
export type Fitted = Pick<RidgeFit, 'values' | 'targetMean' | 'alphas' | 'form' | 'numerics' | 'warnings'> & {
  readonly selection?: RidgeFit['selection'] | BandedRidgeFit['selection'];
};

/** Steps of a fit, as the ledger records them. */
export function fittedSteps(
  { selection }: Fitted,
  labels: readonly (string | number)[] | undefined,
  sawTest: SawTest,
  centred: boolean,
  scaled: boolean,
): FittedStep[] {
  const runs = [...new Set(labels ?? [])].map(String);
  const steps: FittedStep[] = [];
  if (centred) {
    const step = scaled ? 'mean and standard deviation of voxels' : 'mean of voxels';
    steps.push({ step, runs, sawTest });
  }
  if (selection) {
    const note = 'chosen by cross-validation inside the training trials';
    const step = 'gammas' in selection ? 'ridge penalty and weights of bands' : 'ridge penalty';
    steps.push({ step, runs, sawTest, note });
  }
  steps.push({ step: 'ridge weights and target means', runs, sawTest });
  return steps;
}

/** What a fit says of itself. */
export function reportOf(
  { form, numerics, selection, alphas, warnings }: Fitted,
  fitted: { trials: number; constantVoxels: number; perTarget: boolean; score: AlphaScore | undefined },
): RidgeModel['report'] {
  return {
    trials: fitted.trials,
    constantVoxels: fitted.constantVoxels,
    form,
    precision: numerics.precision,
    precisionReason: numerics.reason,
    conditionBound: Math.min(numerics.conditionBound, Number.MAX_VALUE),
    alpha: { smallest: least(alphas), largest: -least(alphas.map((alpha) => -alpha)) },
    ...(selection && {
      crossValidation: {
        grid: [...selection.grid],
        perTarget: fitted.perTarget,
        score: fitted.score ?? 'negativeSquaredError',
        meanScore: selection.scores.reduce((sum, score) => sum + score, 0) / selection.scores.length,
        chosen: selection.grid.map((value) =>
          alphas.reduce((count, alpha) => count + (alpha === value ? 1 : 0), 0),
        ),
        atBorder: { ...selection.atBorder },
      },
    }),
    warnings: [...warnings],
  };
}

function least(values: Float64Array): number {
  return values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}
