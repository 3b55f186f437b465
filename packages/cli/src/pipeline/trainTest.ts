import type { Study } from '@fmri2image/core';
import { termsOf } from '../terms.ts';
import { withBandScores } from './bandScores.ts';
import { type FitContext, type FitSettings, meanTarget } from './fit.ts';
import { fitDecoder } from './fitDecoder.ts';
import { foldRecord } from './folds.ts';
import { reconstructTrials } from './reconstruct.ts';
import { provenanceOf, type Results } from './results.ts';
import { selectTrials } from './select.ts';
import { decodesLabels, withTargets } from './targets.ts';
import { seenBy, trainingRecord } from './training.ts';

/** Can a study be fitted and tested by the splits that it states? */
export const hasTrainAndTest = ({ trials }: Study) =>
  ['train', 'test'].every((split) => trials.some((trial) => trial.split === split));

/** Results of fitting on the trials of split `train` and reconstructing those of split `test`. */
export async function trainTestResults(
  given: Study,
  settings: FitSettings,
  context: FitContext,
): Promise<Results> {
  const study = withTargets(given, settings.targets);
  const training = selectTrials(study, { split: 'train' });
  const record = trainingRecord(study, training);
  const { decoder, prepared } = await fitDecoder(study, training, settings, context);
  try {
    const test = selectTrials(study, { split: 'test' });
    const reconstructed = await reconstructTrials(study, prepared, decoder, test, context, {
      seen: seenBy(record, study),
    });
    const fold = foldRecord(decoder, { training: record });
    return {
      ...reconstructed,
      meanPicture: meanTarget(study, training),
      kind: decoder.output.kind,
      labels: decodesLabels(study) ? study.stimuli.names : undefined,
      folds: [await withBandScores(fold, decoder, study, prepared, test, context.signal)],
      provenance: provenanceOf(study.name, decoder.kind, 'none', context.backend.info, decoder.warnings),
      terms: termsOf({}, study),
    };
  } finally {
    decoder.dispose();
  }
}
