import {
  type BundleModel,
  didYouMean,
  F2iError,
  MINDEYE1_STAGES,
  MINDEYE2_STAGES,
  type Precision,
} from '@fmri2image/core';
import type { Repeats } from './repeats.ts';

/** How far each published model goes; without a choice, the first. */
const STAGES: Readonly<Record<string, readonly [string, ...string[]]>> = {
  mindeye2: MINDEYE2_STAGES,
  mindeye1: MINDEYE1_STAGES,
  'mindeye1-low-level': ['blurry'],
  'clip-converter': ['tokens'],
};

/** What a user asks of a run of a published model. */
export interface RunSettings {
  readonly repeats: Repeats;
  readonly stage?: string | undefined;
  readonly precision?: Precision | undefined;
  readonly subject?: number | undefined;
  readonly seed?: number | undefined;
  /** A file of recorded noise. */
  readonly noise?: string | undefined;
}

/** The same with nothing left to a default. */
export interface ChosenRun {
  readonly repeats: Repeats;
  readonly stage: string;
  readonly precision: Precision | 'as stored';
  /** Whose layer. */
  readonly subject: number;
  /** None where the stage draws nothing, or where noise is recorded. */
  readonly seed: number | undefined;
}

/**
 * Settles stage, subject and seed, before weights or betas are read.
 *
 * @throws USAGE for a stage or subject that the model does not know, none chosen of several subjects, a seed or noise for a
 *   stage that draws none
 */
export function chosenRun(model: BundleModel, settings: RunSettings): ChosenRun {
  const { repeats, precision = 'as stored', seed, noise } = settings;
  const stage = stageOf(model.kind, settings.stage);
  const draws = stage === 'prior';
  const drawn = noise !== undefined ? 'noise' : 'seed';
  if (!draws && (noise ?? seed) !== undefined) {
    throw wrong(drawn, `stage ${stage} of ${model.kind} draws no noise`, '--stage prior', `--stage ${stage}`);
  }
  return {
    repeats,
    stage,
    precision,
    subject: subjectOf(model, settings.subject),
    seed: draws && noise === undefined ? (seed ?? 0) : undefined,
  };
}

function stageOf(kind: string, stage: string | undefined): string {
  const stages = STAGES[kind];
  if (!stages) return stage ?? 'default';
  if (stage === undefined || stages.includes(stage)) return stage ?? stages[0];
  throw wrong('stage', `no such stage${didYouMean(stage, stages)}`, stages.join(', '), stage);
}

function subjectOf({ config }: BundleModel, subject: number | undefined): number {
  const { subject: several } = (config.counts ?? {}) as Record<string, number>;
  const count = several ?? 1;
  if (subject === undefined ? count === 1 : subject < count) return subject ?? 0;
  const voxels = (config.extents ?? {}) as Record<string, number>;
  const each = Array.from({ length: count }, (_, i) => {
    const own = voxels[`voxels[${i}]`];
    return own === undefined ? `${i}` : `${i} (${own} voxels)`;
  });
  const error = count === 1 ? 'the model has one subject' : `the model has layers of ${count} subjects`;
  throw wrong('subject', error, each.join(', '), subject === undefined ? 'none chosen' : `${subject}`);
}

const wrong = (option: string, error: string, expected: string, found: string) =>
  new F2iError('USAGE', error, { field: `--${option}`, expected, found });
