import type { Backend } from '../backend.ts';
import { choleskyFactor, choleskySolve, gemm, gram } from '../ops/index.ts';
import type { Run } from './experiment.ts';
import { responseAt } from './hrf.ts';
import type { Simulation } from './simulation.ts';

/** Regressors of no interest: a constant, a line and two slow cosines, the drift that the simulator adds. */
const DRIFT_REGRESSORS = 4;
/** Voxels whose small systems are in the queue at one time. */
const BATCH = 100;

export interface Amplitudes {
  /** Trials of the test runs, in order. */
  readonly presentations: readonly { readonly picture: number; readonly repeat: number }[];
  /** [trials, voxels] in units of a voxel's response deviation. */
  readonly measured: Float64Array;
  /** What the noise alone contributes to `measured`: the simulator knows it. */
  readonly noise: Float64Array;
}

/**
 * Single-trial amplitudes of the test runs by least squares with each voxel's true response function. Only an
 * oracle can do this; it also yields the exact noise ceiling.
 */
export async function oracleAmplitudes(simulation: Simulation, backend: Backend): Promise<Amplitudes> {
  const { options, runs, truth } = simulation;
  const { voxels } = options;
  const testRuns = runs.filter((run) => run.split === 'test');
  const presentations = testRuns.flatMap((run) => run.presentations);
  const measured = new Float64Array(presentations.length * voxels);
  const noise = new Float64Array(presentations.length * voxels);
  let firstTrial = 0;
  for (const run of testRuns) {
    const trials = run.presentations.length;
    for (let from = 0; from < voxels; from += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, voxels - from) }, (_, i) => from + i);
      const solutions = await Promise.all(batch.map((v) => solveVoxel(simulation, run, v, backend)));
      for (const [i, solution] of solutions.entries()) {
        const v = batch[i]!;
        const unit = truth.baseline[v]! * 0.01 * truth.subject.percentSignal[v]!;
        for (let trial = 0; trial < trials; trial++) {
          const at = (firstTrial + trial) * voxels + v;
          measured[at] = solution[2 * trial]! / unit;
          noise[at] = solution[2 * trial + 1]! / unit;
        }
      }
    }
    firstTrial += trials;
  }
  return { presentations, measured, noise };
}

/** Least-squares weights [regressors, 2] of a voxel's series and of its noise alone. */
async function solveVoxel(
  simulation: Simulation,
  run: Run,
  v: number,
  backend: Backend,
): Promise<Float64Array> {
  const { options, series, truth } = simulation;
  const trials = run.presentations.length;
  const width = trials + DRIFT_REGRESSORS;
  const design = new Float64Array(run.volumes * width);
  const targets = new Float64Array(run.volumes * 2);
  for (let t = 0; t < run.volumes; t++) {
    for (const [trial, { onset }] of run.presentations.entries()) {
      design[t * width + trial] = responseAt(truth.subject.responses[v]!, t * options.tr - onset);
    }
    const phase = (Math.PI * (t + 0.5)) / run.volumes;
    design.set([1, t / run.volumes - 0.5, Math.cos(phase), Math.cos(2 * phase)], t * width + trials);
    targets[2 * t] = series[(run.firstVolume + t) * options.voxels + v]!;
    targets[2 * t + 1] = truth.noise[(run.firstVolume + t) * options.voxels + v]!;
  }
  const [solution] = await backend.compute(() => {
    const x = backend.tensor(design, [run.volumes, width]);
    const y = backend.tensor(targets, [run.volumes, 2]);
    // The last trials of a run overlap little with anything: the system is well conditioned, the shift only guards.
    const factor = choleskyFactor(gram(x, { of: 'columns' }), { shift: 1e-9 });
    return [choleskySolve(factor, gemm(x, y, { transA: true }))];
  });
  return solution as Float64Array;
}

export interface NoiseCeiling {
  /** [voxels] explainable part of the variance over pictures of a single trial, 0..1. */
  readonly singleTrial: Float64Array;
  /** The same for the mean over the repeats. */
  readonly averaged: Float64Array;
  /** [voxels] variance of single-trial noise in units of the signal variance. */
  readonly noiseVariance: Float64Array;
}

/** Noise ceiling as NSD defines it (Allen et al. 2022): signal variance over signal plus noise variance. */
export function noiseCeiling(amplitudes: Amplitudes, repeats: number): NoiseCeiling {
  const trials = amplitudes.presentations.length;
  const voxels = amplitudes.noise.length / trials;
  const noiseVariance = new Float64Array(voxels);
  for (let i = 0; i < amplitudes.noise.length; i++) {
    noiseVariance[i % voxels]! += amplitudes.noise[i]! ** 2 / trials;
  }
  return {
    noiseVariance,
    singleTrial: noiseVariance.map((variance) => 1 / (1 + variance)),
    averaged: noiseVariance.map((variance) => 1 / (1 + variance / repeats)),
  };
}
