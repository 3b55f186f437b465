import type { Backend } from '../backend.ts';
import { pacer } from '../data/pause.ts';
import type { OpOptions } from '../ops/index.ts';
import { createRandom } from '../random.ts';
import { planRuns, type Run } from './experiment.ts';
import { responseAt } from './hrf.ts';
import { drawNoise, noiseLoadings } from './noise.ts';
import { drawPictures, type Pictures } from './pictures.ts';
import { createSubject, FilterBank, respondToPictures, type Subject } from './subject.ts';

export interface SimulationOptions {
  seed: number;
  /** Side of the pictures in pixels. */
  size: number;
  /** Extent of the pictures in degrees of visual angle. */
  degrees: number;
  voxels: number;
  trainPictures: number;
  testPictures: number;
  testRepeats: number;
  trialsPerRun: number;
  trialSeconds: number;
  stimulusSeconds: number;
  tr: number;
  /** Median standard deviation of the noise of a volume over that of a voxel's responses to pictures. */
  noise: number;
}

/** A subject that the demo decodes in well under a minute on two cores. */
export const DEMO_SIMULATION: SimulationOptions = {
  seed: 1,
  size: 32,
  degrees: 8,
  voxels: 800,
  trainPictures: 1200,
  testPictures: 60,
  testRepeats: 3,
  trialsPerRun: 75,
  trialSeconds: 4,
  stimulusSeconds: 3,
  tr: 1.5,
  noise: 1.5,
};

/** What a lab would have after scanning (`series`, `runs`, `pictures`) and what only the simulator knows. */
export interface Simulation {
  readonly options: SimulationOptions;
  readonly pictures: Pictures;
  readonly runs: readonly Run[];
  /** [volumes of all runs, voxels], raw scanner units (baseline about 1000). */
  readonly series: Float32Array;
  readonly truth: Truth;
}

export interface Truth {
  readonly subject: Subject;
  /** [voxels] baseline in scanner units. */
  readonly baseline: Float64Array;
  /** [voxels] response to an empty (mid-grey) screen, and deviation of responses over pictures. */
  readonly blankResponse: Float64Array;
  readonly responseDeviation: Float64Array;
  /** [voxels] standard deviation of the noise in percent of the baseline. */
  readonly noiseDeviation: Float64Array;
  readonly loadings: Float64Array;
  /** The noise and drift that were added: [volumes, voxels], scanner units. */
  readonly noise: Float32Array;
}

/** Draws pictures, makes a subject, plans the runs and measures them. Deterministic for a seed and backend family. */
export async function simulate(
  options: SimulationOptions,
  backend: Backend,
  { signal }: OpOptions = {},
): Promise<Simulation> {
  const random = createRandom(options.seed);
  const breathe = pacer(signal, 'the simulation');
  const count = options.trainPictures + options.testPictures;
  const pictures = await drawPictures(count, options.size, random, breathe);
  const subject = createSubject(options, random);
  const runs = planRuns(options, random);

  const bank = new FilterBank(subject, backend);
  const responses = await respondToPictures(bank, pictures.pixels, { signal });
  const blank = new Float32Array(options.size ** 2).fill(0.5);
  const blankResponse = await respondToPictures(bank, blank, { signal });
  bank.dispose();
  const responseDeviation = columnDeviation(responses, options.voxels);
  const baseline = new Float64Array(options.voxels).map(() => 1000 + 120 * random.normal());
  const noiseDeviation = subject.percentSignal.map(
    (signal) => signal * options.noise * Math.exp(0.4 * random.normal()),
  );
  const loadings = noiseLoadings(subject, random);

  const last = runs.at(-1)!;
  const volumes = last.firstVolume + last.volumes;
  const series = new Float32Array(volumes * options.voxels);
  const noise = new Float32Array(volumes * options.voxels);
  for (const run of runs) {
    await breathe();
    const evoked = signalOfRun(run, options, subject, responses, blankResponse, responseDeviation);
    const unit = drawNoise(run.volumes, loadings, random);
    for (let i = 0; i < evoked.length; i++) {
      const v = i % options.voxels;
      const at = run.firstVolume * options.voxels + i;
      noise[at] = baseline[v]! * 0.01 * noiseDeviation[v]! * unit[i]!;
      series[at] = baseline[v]! * (1 + 0.01 * evoked[i]!) + noise[at]!;
    }
  }
  const truth = { subject, baseline, blankResponse, responseDeviation, noiseDeviation, loadings, noise };
  return { options, pictures, runs, series, truth };
}

/** Percent signal change of one run without noise: each voxel's responses to the pictures, overlapping in time. */
function signalOfRun(
  run: Run,
  options: SimulationOptions,
  subject: Subject,
  responses: Float64Array,
  blank: Float64Array,
  deviation: Float64Array,
): Float64Array {
  const { voxels } = subject;
  const signal = new Float64Array(run.volumes * voxels);
  for (const { picture, onset } of run.presentations) {
    const first = Math.ceil(onset / options.tr);
    for (let t = first; t < run.volumes; t++) {
      const since = t * options.tr - onset;
      if (since >= subject.responses[0]!.length * 0.1) break;
      for (let v = 0; v < voxels; v++) {
        const amplitude = (responses[picture * voxels + v]! - blank[v]!) / deviation[v]!;
        signal[t * voxels + v]! +=
          subject.percentSignal[v]! * amplitude * responseAt(subject.responses[v]!, since);
      }
    }
  }
  return signal;
}

function columnDeviation(rows: Float64Array, columns: number): Float64Array {
  const count = rows.length / columns;
  const deviation = new Float64Array(columns);
  for (let c = 0; c < columns; c++) {
    let mean = 0;
    for (let r = 0; r < count; r++) mean += rows[r * columns + c]! / count;
    let sum = 0;
    for (let r = 0; r < count; r++) sum += (rows[r * columns + c]! - mean) ** 2;
    deviation[c] = Math.sqrt(sum / count) + 1e-12;
  }
  return deviation;
}
