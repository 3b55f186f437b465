import { F2iError } from '../error.ts';
import { type Rows, rowExtents } from '../rows.ts';

export interface RepeatCeiling {
  /**
   * For each voxel, the share of the variance of its response to one presentation that the stimulus explains: what a
   * perfect model could predict. [voxels], 0 to 1.
   */
  readonly singleTrial: Float64Array;
  /** The same for the mean over as many presentations as a stimulus has (their harmonic mean). */
  readonly averaged: Float64Array;
  /** Stimuli with at least two presentations, and their presentations: what it is estimated from. */
  readonly stimuli: number;
  readonly presentations: number;
  /** Harmonic mean of the number of presentations. */
  readonly repeats: number;
}

/**
 * Noise ceiling of voxels from repeated presentations. The response is signal (the same whenever a stimulus is shown)
 * plus noise; their variances follow from a one-way analysis of variance over stimuli: noise is the mean square within
 * stimuli, signal (mean square between - within) / k0, k0 the effective number of presentations (Searle 1971, Linear
 * Models, section 10.2). The ceiling signal / (signal + noise / n) is that of the Natural Scenes Dataset (Allen et al.
 * 2022, Nat. Neurosci. 25:116, Methods, "Noise ceiling estimation"), which takes all stimuli to have the same number.
 *
 * @param responses [trials, voxels]
 * @param stimuli identity of the stimulus of each trial
 * @returns undefined where fewer than two stimuli were shown more than once: nothing can be estimated
 * @throws INVALID_ARGUMENT where trials and stimuli differ in number
 */
export function repeatCeiling(
  responses: Rows,
  stimuli: ArrayLike<number | string | undefined>,
): RepeatCeiling | undefined {
  const [trials, voxels] = rowExtents(responses, 'responses');
  if (stimuli.length !== trials) {
    throw new F2iError('INVALID_ARGUMENT', 'one stimulus for each trial', {
      field: 'stimuli',
      expected: `${trials}`,
      found: `${stimuli.length}`,
    });
  }
  const groups = new Map<number | string, number[]>();
  for (let trial = 0; trial < trials; trial++) {
    const stimulus = stimuli[trial];
    if (stimulus === undefined) continue;
    groups.set(stimulus, [...(groups.get(stimulus) ?? []), trial]);
  }
  const repeated = [...groups.values()].filter((group) => group.length > 1);
  if (repeated.length < 2) return undefined;
  const count = repeated.reduce((sum, group) => sum + group.length, 0);
  const squares = repeated.reduce((sum, group) => sum + group.length ** 2, 0);
  const k0 = (count - squares / count) / (repeated.length - 1);
  const repeats = repeated.length / repeated.reduce((sum, group) => sum + 1 / group.length, 0);

  const { data } = responses;
  const singleTrial = new Float64Array(voxels);
  const averaged = new Float64Array(voxels);
  for (let v = 0; v < voxels; v++) {
    const first = data[repeated[0]![0]! * voxels + v]!;
    // A voxel that never changes has neither signal nor noise.
    if (repeated.every((group) => group.every((trial) => data[trial * voxels + v] === first))) continue;
    let grand = 0;
    for (const group of repeated) for (const trial of group) grand += data[trial * voxels + v]! / count;
    let between = 0;
    let within = 0;
    for (const group of repeated) {
      let mean = 0;
      for (const trial of group) mean += data[trial * voxels + v]! / group.length;
      between += group.length * (mean - grand) ** 2;
      for (const trial of group) within += (data[trial * voxels + v]! - mean) ** 2;
    }
    const noise = within / (count - repeated.length);
    const signal = Math.max(0, (between / (repeated.length - 1) - noise) / k0);
    singleTrial[v] = signal === 0 ? 0 : signal / (signal + noise);
    averaged[v] = signal === 0 ? 0 : signal / (signal + noise / repeats);
  }
  return { singleTrial, averaged, stimuli: repeated.length, presentations: count, repeats };
}
