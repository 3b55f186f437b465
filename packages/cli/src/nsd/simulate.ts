import { type Backend, createRandom, type Rows, simulatePopulation } from '@fmri2image/core';
import { type Experiment, type ExperimentOptions, planExperiment, sessionsOf } from './experiment.ts';

export interface NsdSimulation extends ExperimentOptions {
  readonly voxels: number;
  readonly size: number;
  readonly noise: number;
}

export interface SimulatedNsd {
  readonly experiment: Experiment;
  readonly voxels: number;
  /** What a network of vision would say of each picture, as `simulatePopulation` has it: [pictures, features]. */
  readonly features: Rows & { readonly data: Float32Array };
  /** Responses of one session after the other, each once: [trials, voxels], in units of a voxel's response deviation. */
  sessions(): Generator<Float32Array, void, void>;
}

const DEGREES = 8.4;
/** Units with receptive fields of their own; of more voxels, each sums over some of them. */
const MOST_UNITS = 2048;
const SUMMED_UNITS = 3;
/** Features that targets are made of. */
const FEATURES = 48;

/** Responses of one simulated person over an experiment of the shape of NSD. One session at a time is in memory. */
export async function simulateNsd(
  options: NsdSimulation,
  backend: Backend,
  signal: AbortSignal,
): Promise<SimulatedNsd> {
  const { seed, voxels, trainPictures, testPictures, size, noise } = options;
  const experiment = planExperiment(options);
  const units = Math.min(voxels, MOST_UNITS);
  const pooled = voxels > units;
  const { betas: respond, features } = await simulatePopulation(
    {
      seed,
      size,
      degrees: DEGREES,
      subjects: 1,
      voxels: units,
      pictures: trainPictures + testPictures,
      features: FEATURES,
      // Noise is each voxel's own: it comes after the sum.
      noise: pooled ? 0 : noise,
    },
    backend,
    { signal },
  );
  const pool = pooled ? sumsOfUnits(voxels, units, noise, seed) : undefined;
  return {
    experiment,
    voxels,
    features,
    *sessions() {
      for (const { start, end } of sessionsOf(experiment)) {
        const { data } = respond(
          0,
          experiment.trials.slice(start, end).map(({ picture }) => picture),
        );
        yield pool ? pool(data) : data;
      }
    },
  };
}

/** Voxels that see several units each, with weights of unit length, and noise. */
function sumsOfUnits(voxels: number, units: number, noise: number, seed: number) {
  const random = createRandom(seed * 1000 + 999);
  const which = Int32Array.from({ length: voxels * SUMMED_UNITS }, () => random.integer(units));
  const weights = new Float64Array(which.length);
  for (let v = 0; v < voxels; v++) {
    const own = random.normals(SUMMED_UNITS);
    const length = Math.hypot(...own);
    weights.set(
      own.map((weight) => weight / length),
      v * SUMMED_UNITS,
    );
  }
  return (data: Float32Array): Float32Array => {
    const trials = data.length / units;
    const out = new Float32Array(trials * voxels);
    for (let t = 0; t < trials; t++) {
      for (let v = 0; v < voxels; v++) {
        let sum = noise * random.normal();
        for (let i = v * SUMMED_UNITS; i < (v + 1) * SUMMED_UNITS; i++) {
          sum += weights[i]! * data[t * units + which[i]!]!;
        }
        out[t * voxels + v] = sum;
      }
    }
    return out;
  };
}

/** StandardScaler of scikit-learn over one session: mean 0, deviation 1 (ddof 0); what does not vary becomes 0. */
export function normaliseSession(data: Float32Array, voxels: number): Float32Array {
  const trials = data.length / voxels;
  const mean = new Float64Array(voxels);
  const squares = new Float64Array(voxels);
  for (let i = 0; i < data.length; i++) mean[i % voxels]! += data[i]! / trials;
  for (let i = 0; i < data.length; i++) squares[i % voxels]! += (data[i]! - mean[i % voxels]!) ** 2 / trials;
  const scale = squares.map((square) => (square > 0 ? 1 / Math.sqrt(square) : 0));
  return data.map((value, i) => (value - mean[i % voxels]!) * scale[i % voxels]!);
}
