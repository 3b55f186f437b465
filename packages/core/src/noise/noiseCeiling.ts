import { pacer } from '../data/pause.ts';
import { F2iError, throwIfAborted } from '../error.ts';
import { type Rows, rowExtents } from '../rows.ts';

/** Single-trial responses, read in order of trials: a study's, or a recording on disk. */
export interface ResponseSource {
  readonly trials: number;
  readonly voxels: number;
  /** All voxels of trials [from, to), [to - from, voxels]. */
  readTrials(from: number, to: number, signal?: AbortSignal): Promise<Float32Array | Float64Array>;
}

export interface NoiseCeilingOptions {
  /**
   * Session of each trial, in stretches. Where it is given, responses are z-scored per voxel and session first, as NSD does
   * before it estimates noise: drifts of gain between sessions are no signal.
   */
  sessions?: ArrayLike<string | number> | undefined;
  /** Presentations of each stimulus that will be averaged, for the ceiling of averages; those of the data when absent. */
  averaged?: ArrayLike<number> | undefined;
  /** Ceiling of the sums that are held at once, in bytes; more passes over the responses need less. 512 MiB by default. */
  memory?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

export interface VoxelNoiseCeiling {
  /** Standard deviation of the signal over that of the noise, [voxels]; infinite where there is no noise at all. */
  readonly ncsnr: Float64Array;
  /** Variances, [voxels]: of the response to a stimulus over stimuli, and of single trials about it. */
  readonly signal: Float64Array;
  readonly noise: Float64Array;
  /** Percent of the variance of single trials, and of averages, that the stimulus explains, [voxels]. */
  readonly singleTrial: Float64Array;
  readonly averaged: Float64Array;
  /** Mean over stimuli of 1 / presentations, which `averaged` is for. */
  readonly meanInverse: number;
  /** How many stimuli were presented so many times: { 1: 10, 2: 20, 3: 985 }. */
  readonly counts: Readonly<Record<number, number>>;
  readonly trials: number;
}

const MEMORY = 512 * 2 ** 20;
/** Trials read at once where there are no sessions. */
const TRIALS_AT_ONCE = 256;

/**
 * Noise ceiling of each voxel from repeated presentations (Allen et al. 2022, Nat. Neurosci. 25:116, Methods, "Noise ceiling
 * estimation"): ncsnr = sigma_signal / sigma_noise and NC = 100 ncsnr² / (ncsnr² + 1/n), where n presentations are averaged.
 * For unequal numbers 1/n is its mean over stimuli, as NSD has it: (A/3 + B/2 + C) / (A + B + C) for A, B and C stimuli with
 * three, two and one presentations.
 *
 * Noise is the pooled variance of presentations about their stimulus' mean; signal is the rest of the variance between
 * stimuli: (mean square between - noise) / k0, k0 the effective number of presentations (Searle 1971, Linear Models, section
 * 10.2), never below 0. It has no bias for any numbers of presentations, where NSD's 1 - noise (for responses of variance 1)
 * takes repeats for independent; for its thousands of stimuli the two agree.
 *
 * @param stimuli of each trial; trials without one are left out
 * @returns undefined where no stimulus was presented twice
 * @throws INVALID_ARGUMENT for counts that differ and for NaN, naming the trial and voxel
 */
export async function noiseCeilingOf(
  responses: ResponseSource | Rows,
  stimuli: ArrayLike<number | string | undefined>,
  options: NoiseCeilingOptions = {},
): Promise<VoxelNoiseCeiling | undefined> {
  const source = 'readTrials' in responses ? responses : inMemory(responses);
  const { trials, voxels } = source;
  const { sessions, signal, memory = MEMORY } = options;
  if (stimuli.length !== trials) throw mismatch('stimuli', trials, stimuli.length);
  if (sessions && sessions.length !== trials) throw mismatch('sessions', trials, sessions.length);
  const groups = groupsOf(stimuli);
  const used = groups.sizes.reduce((sum, size) => sum + size, 0);
  const stimulusCount = groups.sizes.length;
  if (stimulusCount < 2 || used === stimulusCount) return undefined;

  const breathe = pacer(signal, 'the noise ceiling');
  const stretches = stretchesOf(trials, sessions);
  const width = Math.max(1, Math.min(voxels, Math.floor(memory / (8 * stimulusCount))));
  const passes = Math.ceil(voxels / width);
  const [signalVariance, noiseVariance] = [new Float64Array(voxels), new Float64Array(voxels)];
  const k0 = (used - groups.sizes.reduce((sum, n) => sum + n * n, 0) / used) / (stimulusCount - 1);
  for (let pass = 0; pass < passes; pass++) {
    const [from, to] = [pass * width, Math.min(voxels, (pass + 1) * width)];
    const sums = new Float64Array(stimulusCount * (to - from));
    const squares = new Float64Array(to - from);
    // About the first response of each voxel: sums of large numbers would lose the small differences.
    let origin: Float64Array | undefined;
    for (const [done, { start, end }] of stretches.entries()) {
      throwIfAborted(signal, 'the noise ceiling');
      const block = await source.readTrials(start, end, signal);
      const moments = sessions && (await momentsOf(block, voxels, [from, to], breathe));
      for (let trial = start; trial < end; trial++) {
        await breathe();
        const group = groups.of[trial]!;
        if (group < 0) continue;
        const row = (trial - start) * voxels;
        const at = group * (to - from) - from;
        origin ??= Float64Array.from({ length: to - from }, (_, i) => {
          return moments ? 0 : block[row + from + i]!;
        });
        for (let v = from; v < to; v++) {
          const raw = block[row + v]!;
          if (!Number.isFinite(raw)) throw notFinite(trial, v, raw);
          const i = v - from;
          const value = moments ? (raw - moments.mean[i]!) * moments.scale[i]! : raw - origin[i]!;
          sums[at + v]! += value;
          squares[i]! += value * value;
        }
      }
      options.onProgress?.({ done: pass * stretches.length + done + 1, total: passes * stretches.length });
    }
    for (let v = 0; v < to - from; v++) {
      let total = 0;
      let between = 0;
      for (let g = 0; g < stimulusCount; g++) {
        const sum = sums[g * (to - from) + v]!;
        total += sum;
        between += (sum * sum) / groups.sizes[g]!;
      }
      const within = Math.max(0, squares[v]! - between);
      // What rounding leaves of nothing is no noise.
      const noise = within <= 1e-12 * squares[v]! ? 0 : within / (used - stimulusCount);
      const spread = Math.max(0, between - (total * total) / used) / (stimulusCount - 1);
      noiseVariance[from + v] = noise;
      signalVariance[from + v] = Math.max(0, (spread - noise) / k0);
    }
  }
  const presented = options.averaged ? Array.from(options.averaged) : groups.sizes;
  const meanInverse = presented.reduce((sum, n) => sum + 1 / n, 0) / presented.length;
  return {
    ...ceilings(signalVariance, noiseVariance, meanInverse),
    signal: signalVariance,
    noise: noiseVariance,
    meanInverse,
    counts: countsOf(groups.sizes),
    trials: used,
  };
}

function ceilings(signal: Float64Array, noise: Float64Array, meanInverse: number) {
  const percent = (inverse: number) =>
    signal.map((variance, v) => (variance === 0 ? 0 : (100 * variance) / (variance + noise[v]! * inverse)));
  return {
    ncsnr: signal.map((variance, v) => (variance === 0 ? 0 : Math.sqrt(variance / noise[v]!))),
    singleTrial: percent(1),
    averaged: percent(meanInverse),
  };
}

/** Which group each trial belongs to (-1: none), and how large they are. */
function groupsOf(stimuli: ArrayLike<number | string | undefined>) {
  const numbers = new Map<number | string, number>();
  const sizes: number[] = [];
  const of = new Int32Array(stimuli.length).fill(-1);
  for (let trial = 0; trial < stimuli.length; trial++) {
    const stimulus = stimuli[trial];
    if (stimulus === undefined) continue;
    const group = numbers.get(stimulus) ?? sizes.push(0) - 1;
    numbers.set(stimulus, group);
    sizes[group]!++;
    of[trial] = group;
  }
  return { of, sizes };
}

/** Sessions, whole: they are z-scored by themselves; or pieces of a size that is read at once. */
function stretchesOf(trials: number, sessions: ArrayLike<string | number> | undefined) {
  const found: { start: number; end: number }[] = [];
  const seen = new Set<string | number>();
  for (let trial = 0; trial < trials; trial++) {
    const last = found.at(-1);
    const same =
      last && (sessions ? sessions[trial] === sessions[last.start] : trial - last.start < TRIALS_AT_ONCE);
    if (same) {
      last.end = trial + 1;
      continue;
    }
    if (sessions && seen.has(sessions[trial]!)) {
      throw new F2iError('INVALID_ARGUMENT', 'a session comes back after another one', {
        field: 'sessions',
        expected: 'trials of a session one after the other',
        found: `session ${sessions[trial]} again at trial ${trial}`,
      });
    }
    if (sessions) seen.add(sessions[trial]!);
    found.push({ start: trial, end: trial + 1 });
  }
  return found;
}

/** Of some voxels over the trials of a session; the standard deviation with one degree of freedom less. */
async function momentsOf(
  block: Float32Array | Float64Array,
  voxels: number,
  [from, to]: readonly [number, number],
  breathe: () => Promise<void> | undefined,
) {
  const n = block.length / voxels;
  const mean = new Float64Array(to - from);
  const scale = new Float64Array(to - from);
  for (let row = 0; row < n; row++) {
    await breathe();
    for (let v = from; v < to; v++) mean[v - from]! += block[row * voxels + v]! / n;
  }
  for (let row = 0; row < n; row++) {
    await breathe();
    for (let v = from; v < to; v++) scale[v - from]! += (block[row * voxels + v]! - mean[v - from]!) ** 2;
  }
  for (let i = 0; i < scale.length; i++) {
    scale[i] = scale[i]! > 0 ? 1 / Math.sqrt(scale[i]! / Math.max(1, n - 1)) : 0;
  }
  return { mean, scale };
}

function countsOf(sizes: readonly number[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const size of sizes) counts[size] = (counts[size] ?? 0) + 1;
  return counts;
}

function inMemory(rows: Rows): ResponseSource {
  const [trials, voxels] = rowExtents(rows, 'responses');
  const { data } = rows;
  return {
    trials,
    voxels,
    readTrials: async (from, to) => data.subarray(from * voxels, to * voxels) as Float32Array | Float64Array,
  };
}

function mismatch(field: string, expected: number, found: number): F2iError {
  return new F2iError('INVALID_ARGUMENT', `one of the ${field} for each trial`, {
    field,
    expected: `${expected}`,
    found: `${found}`,
  });
}

function notFinite(trial: number, voxel: number, value: number): F2iError {
  return new F2iError('INVALID_ARGUMENT', 'responses hold NaN or infinity', {
    field: 'responses',
    expected: 'finite responses',
    found: `${value} in trial ${trial}, voxel ${voxel}`,
  });
}
