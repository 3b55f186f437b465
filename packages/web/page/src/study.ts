import {
  type BundleModel,
  type Folder,
  loadStudy,
  type PictureCodec,
  readArray,
  type Study,
  toFloat32,
} from '@fmri2image/core';
import type { Opened } from './responses.ts';
import type { Pictures } from './scores.ts';

/**
 * Reads a study folder. A picture `mean-training-picture.npy` beside the manifest is the brain-free control.
 *
 * @param data what the manifest's paths that begin with `data:` mean
 * @param codec for stimuli that are not PNG
 */
export async function readStudy(
  folder: Folder,
  signal: AbortSignal,
  { data, codec }: { data?: Folder | undefined; codec?: PictureCodec | undefined } = {},
): Promise<Opened> {
  const study = await loadStudy(folder, 'study.json', { data, codec, signal });
  return { kind: 'study', name: study.name, study, meanPicture: await meanPictureOf(folder, study, signal) };
}

const MEAN_PICTURE = 'mean-training-picture.npy';

async function meanPictureOf(
  folder: Folder,
  study: Study,
  signal: AbortSignal,
): Promise<Pictures | undefined> {
  if (study.stimuli?.kind !== 'pictures') return undefined;
  if ((await folder.list()).includes(MEAN_PICTURE)) {
    const source = await folder.open(MEAN_PICTURE);
    const { shape, ...rest } = await readArray(source, { signal });
    return { data: toFloat32({ shape, ...rest }, { file: source.name }), shape };
  }
  const shown = study.trials.flatMap(({ split, stimulus }) => (split === 'train' ? (stimulus ?? []) : []));
  if (shown.length === 0) return undefined;
  const { data, shape } = study.stimuli.values;
  const length = data.length / shape[0]!;
  const mean = new Float32Array(length);
  for (const stimulus of shown) {
    for (let i = 0; i < length; i++) mean[i]! += data[stimulus * length + i]! / shown.length;
  }
  return { data: mean, shape: [1, ...shape.slice(1)] };
}

/** Trials of split `test`, without those that the decoder was fitted on: scores of the others would say nothing. */
export function unseenTrials(
  study: Study,
  model: BundleModel | undefined,
): { trials: number[]; note?: string } {
  const all = study.trials.map((_, row) => row);
  const inTest = all.filter((row) => study.trials[row]!.split === 'test');
  const chosen = inTest.length > 0 ? inTest : all;
  const fitted = model ? trainingTrials(model, study) : [];
  const unseen = chosen.filter((row) => !fitted.some(([first, last]) => row >= first && row <= last));
  if (unseen.length === 0) {
    return {
      trials: chosen,
      note: 'the decoder was fitted on these trials: their scores say nothing of new ones',
    };
  }
  const left = all.length - unseen.length;
  return left > 0
    ? {
        trials: unseen,
        note: `${unseen.length} trials that the decoder was not fitted on; ${left} others are left out`,
      }
    : { trials: unseen };
}

/** First and last rows of the stretches that a fit by the command line was made on, if it was of this study. */
function trainingTrials({ report }: BundleModel, study: Study): (readonly [number, number])[] {
  const training = report.training as { study?: unknown; trials?: unknown } | null | undefined;
  if (training?.study !== study.name || !Array.isArray(training.trials)) return [];
  return training.trials.filter(
    (range): range is [number, number] =>
      Array.isArray(range) && range.length === 2 && range.every((row) => typeof row === 'number'),
  );
}
