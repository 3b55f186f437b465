import { bootstrapInterval, type Evaluation, type MetricResult } from '@fmri2image/core';
import { mean } from './data.ts';

/** How scores stand beside what choosing among the training pictures would give. */

/** Correlation of pictures above which one is hardly new beside the other. */
const NEAR_COPY = 0.95;

/**
 * Where the training pictures hold near copies of the scored ones: how well the best choice among them correlates with
 * what was shown, on average.
 */
export function nearCopies({ frameCorrelation }: Pick<Evaluation, 'frameCorrelation'>): number | undefined {
  const { bestTraining } = frameCorrelation;
  return bestTraining !== undefined && bestTraining > NEAR_COPY ? bestTraining : undefined;
}

/** The decoder's score minus that of a control, over the same trials. */
export interface Advantage {
  readonly difference: number;
  /** 95 % bootstrap interval of the mean paired difference. */
  readonly interval: readonly [number, number];
  /** On which side of zero the interval lies, if on one. */
  readonly control: 'lower' | 'higher' | 'about as high';
}

/** Undefined where the control is not known. Resampled as the intervals of the scores are: the same trials, or blocks. */
export function advantageOver(
  name: 'meanPicture' | 'nearestTraining' | 'bestTraining',
  { perTrial, controls }: MetricResult,
  { bootstrap, permutation }: Pick<Evaluation, 'bootstrap' | 'permutation'>,
): Advantage | undefined {
  const control = controls[name];
  if (!control || control.length === 0) return undefined;
  const differences = perTrial.map((own, i) => own - control[i]!);
  const interval = bootstrapInterval(differences, { ...bootstrap, seed: permutation.seed });
  const [low, high] = interval;
  return {
    difference: mean(differences),
    interval,
    control: low > 0 ? 'lower' : high < 0 ? 'higher' : 'about as high',
  };
}
