import {
  type Decoder,
  F2iError,
  type PreparedStudy,
  prepareStudy,
  RetinotopicDecoder,
  type Study,
  takeRows,
} from '@fmri2image/core';
import { usage } from '../options.ts';
import { chooseDelays } from './delays.ts';
import {
  type FitContext,
  type FitSettings,
  fitRidgeDecoder,
  innerFolds,
  plannedPreparation,
  voxelInput,
} from './fit.ts';
import { recordingPositions } from './recordings.ts';
import { labelsOf } from './select.ts';
import { visualExtent } from './visualField.ts';

export interface FittedDecoder {
  readonly decoder: Decoder;
  /** The study as the decoder reads it. */
  readonly prepared: PreparedStudy;
}

/** Fits the decoder that the settings name on some trials of a study. */
export async function fitDecoder(
  study: Study,
  trials: readonly number[],
  settings: FitSettings,
  context: FitContext,
): Promise<FittedDecoder> {
  if (settings.decoder === 'retinotopic') return fitRetinotopic(study, trials, settings, context);
  const chosen = await chooseDelays(study, trials, settings, context);
  const steps = plannedPreparation(study, chosen);
  const prepared = prepareStudy(study, steps);
  return { decoder: await fitRidgeDecoder(study, prepared, steps, trials, chosen, context), prepared };
}

async function fitRetinotopic(
  study: Study,
  trials: readonly number[],
  settings: FitSettings,
  { backend, signal, console }: FitContext,
): Promise<FittedDecoder> {
  const { stimuli } = study;
  if (!study.continuous) {
    throw new F2iError('USAGE', 'the retinotopic decoder needs a stimulus that never stops', {
      file: study.name,
      field: 'trials',
      expected: '{ "everyVolume": true }',
      found: 'separate trials',
    });
  }
  if (stimuli?.kind !== 'pictures') {
    throw usage(
      `the retinotopic decoder needs pictures; ${study.name} has ${stimuli ? 'features' : 'no stimuli'}`,
    );
  }
  const steps = plannedPreparation(study, settings);
  const prepared = prepareStudy(study, steps);
  const some = trials.map((trial) => study.trials[trial]!);
  const positions = recordingPositions(study, some);
  const decoder = await RetinotopicDecoder.fit(
    {
      voxels: takeRows(prepared.voxels, trials),
      targets: takeRows(
        stimuli.values,
        some.map((trial) => trial.stimulus!),
      ),
      output: { kind: 'picture', shape: stimuli.values.shape.slice(1), range: [0, 1] },
      repetitionTime: study.tr!,
      runs: some.map((trial) => trial.run),
      groups: labelsOf(some, settings.groupBy),
      ...positions,
      visualField: study.visualField && visualExtent(study.visualField),
      input: {
        ...(await voxelInput(study)),
        preprocess: steps.map(({ name, settings }) => ({ name, settings })),
      },
      sawTest: settings.sawTest,
      ledger: [...prepared.ledger, ...(settings.ledger ?? [])],
    },
    {
      ...settings.retinotopic,
      folds: settings.folds === undefined ? undefined : innerFolds(some, settings, study),
    },
    {
      backend,
      signal,
      onProgress: ({ phase, done, total }) => console.progress(`retinotopic: ${phase}`, done / total),
    },
  );
  return { decoder, prepared };
}
