import type { FoldRecord } from '../pipeline/folds.ts';
import type { Results } from '../pipeline/results.ts';
import { record } from './choices.ts';
import { counted, listed, short } from './format.ts';
import type { Citations } from './references.ts';

/** What a published model is called, and the paper of it that the text can cite. */
const MODELS: Readonly<Record<string, { readonly name: string; readonly cite?: string }>> = {
  mindeye2: { name: 'MindEye2', cite: 'scotti' },
  mindeye1: { name: 'MindEye', cite: 'mindeye' },
  'mindeye1-low-level': { name: 'the low-level branch of MindEye', cite: 'mindeye' },
  'clip-converter': { name: 'the CLIP converter of MindEye2', cite: 'scotti' },
};

const STAGES: Readonly<Record<string, string>> = {
  tokens: 'up to its backbone',
  blurry: 'up to the latents of its low-level branch',
  prior: 'up to samples of its diffusion prior',
};

const REPEATS: Readonly<Record<string, string>> = {
  each: 'Each trial was decoded by itself.',
  all: 'All presentations of a stimulus were averaged.',
  published: 'The first three presentations of a stimulus were averaged, as in the published evaluation.',
};

/**
 * How a published model was run: stage, precision, repeats, noise, outputs, and how it was aligned to the subject.
 *
 * @returns undefined for a decoder that is no published model
 */
export function publishedModelSentences(
  { run = {}, outputs, provenance }: Pick<Results, 'run' | 'outputs' | 'provenance'>,
  fold: FoldRecord | undefined,
  citations: Citations,
): string[] | undefined {
  const model = MODELS[provenance.decoder];
  if (!model) return undefined;
  const { stage, precision, repeats, seed, noise } = run;
  const by = `${model.name}${model.cite === undefined ? '' : ` ${citations.cite(model.cite)}`}`;
  const how = [
    STAGES[String(stage)],
    precision === undefined
      ? undefined
      : precision === 'as stored'
        ? `with weights as they are stored${typeof fold?.config.dtype === 'string' ? ` (${fold.config.dtype})` : ''}`
        : `in ${String(precision)}`,
  ].filter((words) => words !== undefined);
  const sentences = [
    `Features of the stimuli were decoded by converted weights of ${by}${how.length === 0 ? '' : `, run ${how.join(', ')}`}.`,
  ];
  const averaging = REPEATS[String(repeats)];
  if (averaging !== undefined) sentences.push(averaging);
  if (stage === 'prior') {
    if (seed === 'recorded noise' || (noise !== undefined && noise !== 'none')) {
      sentences.push('The noise of the prior was read from a file.');
    } else if (typeof seed === 'number') {
      sentences.push(`The noise of the prior was drawn from seed ${seed}.`);
    }
  }
  if (outputs && outputs.length > 1) {
    const names = outputs.map(({ name, shape }) => `${name} (${shape.join(' × ')})`);
    sentences.push(`Its outputs were ${listed(names)}.`);
  }
  return [...sentences, ...alignmentSentences(fold, citations)];
}

/** The lineage of an aligned bundle: what is not recorded is not claimed. */
function alignmentSentences(fold: FoldRecord | undefined, citations: Citations): string[] {
  const alignment = record(fold?.report.alignment);
  if (!alignment) return [];
  const { used, stimuli } = record(alignment.trials) ?? {};
  const { smallest, largest } = record(alignment.alpha) ?? {};
  const on =
    typeof used === 'number' && typeof stimuli === 'number'
      ? ` on ${counted(used, 'trial')} of ${stimuli === 1 ? '1 stimulus' : `${stimuli} stimuli`}`
      : '';
  const penalty =
    typeof smallest !== 'number'
      ? ''
      : `, with ${smallest === largest || typeof largest !== 'number' ? `penalty ${short(smallest)}` : `penalties from ${short(smallest)} to ${short(largest)}`}`;
  const targets = typeof alignment.targets === 'string' ? ` to its ${alignment.targets}` : '';
  const teachers = Array.isArray(alignment.teachers)
    ? alignment.teachers.flatMap((teacher) => record(teacher)?.subject ?? [])
    : [];
  const whose =
    teachers.length === 0
      ? ''
      : `, subject${teachers.length === 1 ? '' : 's'} ${listed(teachers.map(String))} of the model being the teacher${teachers.length === 1 ? '' : 's'}`;
  return [
    `Of this model, the layer that reads the voxels of the subject was fitted anew by ridge regression ${citations.cite('hoerl')}${targets}${on}${penalty}${whose}; all other weights are the published ones.`,
  ];
}

/** Whether it was trained elsewhere: nothing of it was chosen here. */
export const isPublishedModel = (decoder: string): boolean => decoder in MODELS;
