import { F2iError } from '../../error.ts';
import type { Study, StudyRun } from './study.ts';

export interface SampleOptions {
  /** Seconds after onset at which the series is read. */
  delays: readonly number[];
}

/**
 * Responses to trials in a time series: each trial's row is the series at its onset plus each delay, side by side,
 * linearly interpolated between volumes. A trial reads only volumes of its own run: what would lie beyond the end is
 * the run's last volume. Where rows are trials already, they are returned as they are.
 *
 * @returns [trials, delays.length * voxels]; column d * voxels + v is voxel v at delay d
 */
export function sampleTrials(
  study: Study,
  { delays }: SampleOptions,
): { data: Float32Array; shape: [number, number] } {
  const width = study.voxels.shape[1]!;
  const { data, trials } = { data: study.voxels.data, trials: study.trials };
  if (study.rows === 'trials') {
    const out = new Float32Array(trials.length * width);
    trials.forEach(({ row }, i) => {
      out.set(data.subarray(row! * width, (row! + 1) * width), i * width);
    });
    return { data: out, shape: [trials.length, width] };
  }
  if (delays.length === 0 || delays.some((delay) => !Number.isFinite(delay))) {
    throw new F2iError('INVALID_ARGUMENT', 'delays are seconds after onset', {
      field: 'delays',
      expected: 'at least one number',
      found: `[${delays.join(', ')}]`,
    });
  }
  const out = new Float32Array(trials.length * delays.length * width);
  for (const [i, { volume }] of trials.entries()) {
    const run = runOfVolume(study.runs, volume!);
    for (const [d, delay] of delays.entries()) {
      const position = Math.min(run.end - 1, Math.max(run.start, volume! + delay / study.tr!));
      const below = Math.floor(position);
      const part = position - below;
      const next = Math.min(below + 1, run.end - 1);
      const at = (i * delays.length + d) * width;
      for (let v = 0; v < width; v++) {
        out[at + v] = (1 - part) * data[below * width + v]! + part * data[next * width + v]!;
      }
    }
  }
  return { data: out, shape: [trials.length, delays.length * width] };
}

function runOfVolume(runs: readonly StudyRun[], volume: number): StudyRun {
  const run = runs.find(({ start, end }) => volume >= start && volume < end);
  if (!run) throw new F2iError('INVALID_ARGUMENT', 'the trial lies in no run', { found: `volume ${volume}` });
  return run;
}
