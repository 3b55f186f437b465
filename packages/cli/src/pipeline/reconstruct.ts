import type { Decoder, PreparedStudy, Rows, Study } from '@fmri2image/core';
import type { Console } from '../console.ts';
import type { ResultItem } from './results.ts';
import { SEEN, type Seen } from './training.ts';

export interface Reconstructed {
  readonly items: ResultItem[];
  /** [items, ...shape] */
  readonly values: Rows & { readonly data: Float32Array };
}

/** Decodes trials one at a time and describes each. */
export async function reconstructTrials(
  study: Study,
  prepared: PreparedStudy,
  decoder: Decoder,
  trials: readonly number[],
  { signal, console }: { signal: AbortSignal; console: Console },
  { seen, heldOut }: { seen: (trial: number) => Seen; heldOut?: string },
): Promise<Reconstructed> {
  const size = decoder.output.shape.reduce((product, extent) => product * extent, 1);
  const data = new Float32Array(trials.length * size);
  let done = 0;
  // All rows, of which some are decoded: a decoder with lags reads the volumes that follow in the run.
  const { voxels, runs } = prepared;
  for await (const { image, features, label } of decoder.reconstruct(voxels, { trials, runs, signal })) {
    data.set(image?.data ?? features?.data ?? label!.scores, done * size);
    console.progress('reconstruct', ++done / trials.length);
  }
  const items = trials.map((trial) => ({ ...describeTrial(study, trial), seen: seen(trial), heldOut }));
  return { items, values: { data, shape: [trials.length, ...decoder.output.shape] } };
}

/** What a trial of a study was. */
export function describeTrial(study: Study, index: number): Omit<ResultItem, 'seen'> {
  const { stimulus, run } = study.trials[index]!;
  const stimulusName = stimulus === undefined ? undefined : study.stimuli?.names[stimulus];
  return { trials: [index], stimulus, stimulusName, run };
}

/**
 * Averages the reconstructions of all trials that show the same stimulus. Their run is then the set of runs they come
 * from: pictures may be exchanged only with pictures of the same runs.
 */
export function averageRepeats({ items, values }: Reconstructed): Reconstructed {
  const size = values.data.length / items.length;
  const groups = new Map<number, number[]>();
  for (const [i, { stimulus }] of items.entries()) {
    // Trials without stimulus stay by themselves.
    const key = stimulus ?? -1 - i;
    groups.set(key, [...(groups.get(key) ?? []), i]);
  }
  const data = new Float32Array(groups.size * size);
  const averaged: ResultItem[] = [];
  for (const rows of groups.values()) {
    const at = averaged.length * size;
    for (const row of rows) {
      for (let j = 0; j < size; j++) data[at + j]! += values.data[row * size + j]! / rows.length;
    }
    const members = rows.map((row) => items[row]!);
    averaged.push({
      ...members[0]!,
      trials: members.flatMap((item) => item.trials),
      // The worst of them: SEEN is in that order.
      seen: SEEN.find((kind) => members.some((item) => item.seen === kind))!,
      run: [...new Set(members.map((item) => item.run))].sort().join('+'),
    });
  }
  return { items: averaged, values: { data, shape: [averaged.length, ...values.shape.slice(1)] } };
}
