import type { DescribedRun, Json, PackedRecording, Recording, RunOutcome, Study } from '@fmri2image/core';
import { trainingRecord } from '../pipeline/training.ts';
import type { BlockFolder } from './blockFolder.ts';
import { type OpenTargets, type Plan, regionsOf } from './plan.ts';
import { inputOf, sessionsOf } from './recording.ts';

/** A run as its bundle, and its predictions, describe it. */
export async function describeRun(
  { recipe, designs }: Plan,
  outcome: RunOutcome,
  recording: Recording,
  responses: PackedRecording,
  choices: Readonly<Record<string, Json>>,
): Promise<DescribedRun> {
  const trained = new Set(
    designs.flatMap(({ arrangement }) => arrangement.train.flatMap(({ trials }) => [...trials])),
  );
  return {
    recipe,
    designs,
    outcome,
    input: await inputOf(responses),
    runs: sessionsOf(
      responses,
      [...trained].sort((a, b) => a - b),
    ),
    ledger: recording.ledger,
    report: {
      recording: {
        name: recording.name,
        ...(recording.subject !== undefined && { subject: recording.subject }),
        roi: regionsOf(recipe) ?? 'all',
        ...choices,
        counts: [...designs[0]!.arrangement.counts],
      },
      training: trainingRecord({ name: recording.name, trials: recording.trials } as unknown as Study, [
        ...trained,
      ]),
    },
  };
}

/** Oddities of voxels, which are known when they have been read. */
export const rowWarnings = ({ designs }: Plan) => [...new Set(designs.flatMap(({ rows }) => rows.warnings))];

/** Of a standard deviation, relative to the mean: what float32 makes of a value that never changes. */
const CONSTANT = 1e-6;

/** Features that never change are predicted without a brain: of an encoder that failed, or of the wrong array. */
export async function constantNotes(
  targets: ReadonlyMap<string, OpenTargets>,
  work: BlockFolder,
): Promise<readonly string[]> {
  const notes: string[] = [];
  for (const [name, { source }] of targets) {
    const { target_mean: mean, target_std: std } = await work.statistics(name);
    const constant = std.reduce((count, own, t) => count + (own <= CONSTANT * Math.abs(mean[t]!) ? 1 : 0), 0);
    if (constant === 0) continue;
    const all = `${constant} of ${std.length} values of ${name}`;
    notes.push(`${all} never change over the training rows (${source.name}): there is nothing to predict`);
  }
  return notes;
}
