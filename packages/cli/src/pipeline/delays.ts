import type { FittedStep, Study } from '@fmri2image/core';
import { prepareStudy } from '@fmri2image/core';
import { usage } from '../options.ts';
import { type FitContext, type FitSettings, fitRidgeDecoder, plannedPreparation } from './fit.ts';

/**
 * Sets of delays (seconds) that a fit to a continuous stimulus chooses from: the response peaks 4 to 7 s after its
 * cause (Boynton et al. 1996), and whether several moments help depends on the stimulus.
 */
export const CONTINUOUS_DELAYS: readonly (readonly number[])[] = [
  [4],
  [5.3],
  [6.6],
  [4, 5.3],
  [5.3, 6.6],
  [4, 5.3, 6.6],
  [2.6, 4, 5.3, 6.6, 8],
];

/** Settings with one set of delays: the one given, or the one that cross-validates best on the training trials. */
export async function chooseDelays(
  study: Study,
  trials: readonly number[],
  settings: FitSettings,
  context: FitContext,
): Promise<FitSettings> {
  if (study.rows !== 'volumes') return settings;
  const sets = settings.delaySets ?? (study.continuous ? CONTINUOUS_DELAYS : undefined);
  // What is usual is part of the preparation.
  if (!sets) return settings;
  if (sets.length === 1) return { ...settings, delays: sets[0] };
  if (settings.alphas?.length === 1) {
    throw usage(
      'with one penalty nothing is cross-validated that could choose the delays: state one set of --delays',
    );
  }
  const scores: number[] = [];
  for (const delays of sets) {
    const candidate = { ...settings, delays };
    const steps = plannedPreparation(study, candidate);
    const decoder = await fitRidgeDecoder(
      study,
      prepareStudy(study, steps),
      steps,
      trials,
      candidate,
      context,
    );
    const { crossValidation } = decoder.model.report as { crossValidation: { meanScore: number } };
    scores.push(crossValidation.meanScore);
    decoder.dispose();
  }
  const best = scores.indexOf(Math.max(...scores));
  const runs = [...new Set(trials.map((trial) => study.trials[trial]!.run))];
  const step: FittedStep = {
    step: `delays of ${sets[best]!.join(', ')} s`,
    runs,
    sawTest: settings.sawTest,
    note: `chosen from ${sets.length} sets by cross-validation inside the training trials`,
  };
  return { ...settings, delays: sets[best], ledger: [step] };
}
