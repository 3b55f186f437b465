import {
  type BundleModel,
  defaultPreparation,
  preparationOf,
  prepareStudy,
  type Rows,
  type Study,
} from '@fmri2image/core';
import type { Pictures, Truth } from './scores.ts';
import { unseenTrials } from './study.ts';

/** Brain responses as files gave them; a study waits for the bundle, which says how to prepare it. */
export type Opened =
  | {
      readonly kind: 'matrix';
      readonly name: string;
      readonly betas: Rows & { readonly data: Float32Array };
      readonly notes: readonly string[];
    }
  | {
      readonly kind: 'study';
      readonly name: string;
      readonly study: Study;
      readonly meanPicture: Pictures | undefined;
    };

/** Responses as a decoder reads them. */
export interface Responses {
  readonly name: string;
  /** [rows, values]: voxels, or voxels at several delays. */
  readonly betas: Rows & { readonly data: Float32Array };
  /** Run of each row, for decoders that look at neighbouring volumes. */
  readonly runs: readonly string[] | undefined;
  readonly trials: readonly number[];
  readonly labels: readonly string[];
  readonly truth: Truth | undefined;
  readonly simulated: boolean;
  readonly notes: readonly string[];
}

/** What a decoder reads, of what the files gave. */
export function prepare(opened: Opened, model: BundleModel | undefined): Responses {
  if (opened.kind === 'matrix') {
    const [rows] = opened.betas.shape as [number, number];
    return {
      name: opened.name,
      betas: opened.betas,
      runs: undefined,
      trials: Array.from({ length: rows }, (_, row) => row),
      labels: Array.from({ length: rows }, (_, row) => `Trial ${row + 1}`),
      truth: undefined,
      simulated: false,
      notes: opened.notes,
    };
  }
  const { study, meanPicture } = opened;
  const steps = model ? preparationOf(model) : defaultPreparation(study);
  const prepared = prepareStudy(study, steps);
  const { trials, note } = unseenTrials(study, model);
  const pictures = study.stimuli?.kind === 'pictures' ? study.stimuli.values : undefined;
  const stimulusOf = study.trials.map(({ stimulus }) => stimulus ?? -1);
  return {
    name: study.name,
    betas: prepared.voxels,
    runs: prepared.runs,
    trials,
    labels: study.trials.map(({ label }, row) => [`Trial ${row + 1}`, label].filter(Boolean).join(' · ')),
    truth:
      pictures && stimulusOf.every((stimulus) => stimulus >= 0)
        ? { pictures, stimulusOf, meanPicture, scored: new Set(study.scored) }
        : undefined,
    simulated: study.name.startsWith('simulated'),
    notes: [
      ...(study.description ? [study.description] : []),
      ...(note ? [note] : []),
      ...study.repairs,
      ...study.warnings,
    ],
  };
}
