import { beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../src/random.ts';
import { createReferenceBackend } from '../src/reference/backend.ts';
import { tabulateResponse } from '../src/simulate/hrf.ts';
import {
  type Amplitudes,
  DEMO_SIMULATION,
  noiseCeiling,
  oracleAmplitudes,
  oracleReconstruction,
  type Simulation,
  simulate,
} from '../src/simulate/index.ts';
import { drawPictures } from '../src/simulate/pictures.ts';
import { createSubject, respond } from '../src/simulate/subject.ts';

const OPTIONS = {
  ...DEMO_SIMULATION,
  seed: 5,
  size: 12,
  voxels: 60,
  trainPictures: 90,
  testPictures: 10,
  testRepeats: 2,
  trialsPerRun: 30,
};

function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const mean = (x: ArrayLike<number>) => Array.from(x).reduce((s, v) => s + v, 0) / x.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

describe('simulated responses', () => {
  const backend = createReferenceBackend();
  let simulation: Simulation;
  let amplitudes: Amplitudes;

  beforeAll(async () => {
    simulation = await simulate(OPTIONS, backend);
    amplitudes = await oracleAmplitudes(simulation, backend);
  });

  it('is the same for a seed and another for another', async () => {
    const again = await simulate(OPTIONS, backend);
    expect(again.series).toEqual(simulation.series);
    const other = await simulate({ ...OPTIONS, seed: 6 }, backend);
    expect(Math.abs(correlation(other.series.slice(0, 600), simulation.series.slice(0, 600)))).toBeLessThan(
      0.9,
    );
  });

  it('shows every training picture once and every test picture once a repeat, never in both', () => {
    const shown = (split: string) =>
      simulation.runs.filter((run) => run.split === split).flatMap((run) => run.presentations);
    const train = shown('train').map((p) => p.picture);
    expect(train.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 90 }, (_, i) => i));
    for (let repeat = 0; repeat < 2; repeat++) {
      const test = shown('test').filter((p) => p.repeat === repeat);
      expect(new Set(test.map((p) => p.picture)).size).toBe(10);
      expect(Math.min(...test.map((p) => p.picture))).toBe(90);
    }
  });

  it('measures volumes that are finite and near the baseline', () => {
    const last = simulation.runs.at(-1)!;
    expect(simulation.series.length).toBe((last.firstVolume + last.volumes) * OPTIONS.voxels);
    expect(simulation.series.every((value) => value > 300 && value < 2000)).toBe(true);
  });

  it('recovers single-trial amplitudes up to the noise it added', async () => {
    // measured - noise is what the true pictures evoke: it must repeat exactly over presentations of a picture.
    const { voxels } = OPTIONS;
    const signal = amplitudes.measured.map((value, i) => value - amplitudes.noise[i]!);
    const rowsOf = (picture: number) =>
      amplitudes.presentations.flatMap((p, row) => (p.picture === picture ? [row] : []));
    for (const picture of [90, 95]) {
      const [first, second] = rowsOf(picture).map((row) => signal.subarray(row * voxels, (row + 1) * voxels));
      first!.forEach((value, v) => {
        expect(value).toBeCloseTo(second![v]!, 3);
      });
    }
  });

  it('states a noise ceiling between 0 and 1 that repeats raise', () => {
    const ceiling = noiseCeiling(amplitudes, OPTIONS.testRepeats);
    for (let v = 0; v < OPTIONS.voxels; v++) {
      expect(ceiling.singleTrial[v]).toBeGreaterThan(0);
      expect(ceiling.averaged[v]).toBeGreaterThan(ceiling.singleTrial[v]!);
      expect(ceiling.averaged[v]).toBeLessThan(1);
    }
    expect(noiseCeiling(amplitudes, 10).averaged[3]).toBeGreaterThan(ceiling.averaged[3]!);
  });

  it('lets an oracle that knows the model see the pictures', async () => {
    const width = OPTIONS.size ** 2;
    const pictures = await oracleReconstruction(simulation, amplitudes, backend);
    const truth = simulation.pictures.pixels.subarray(90 * width);
    const scores = Array.from({ length: 10 }, (_, i) =>
      correlation(pictures.subarray(i * width, (i + 1) * width), truth.subarray(i * width, (i + 1) * width)),
    );
    expect(scores.reduce((a, b) => a + b) / 10).toBeGreaterThan(0.5);
  });

  it('leaves no tensors behind', () => {
    expect(backend.stats().liveTensors).toBe(0);
  });
});

describe('a simulated voxel', () => {
  it('responds with a delay of seconds, peaks at 1 and undershoots', () => {
    const table = tabulateResponse({ rise: 2.6, fall: 6, end: 11, undershoot: 0.2 }, 3);
    const peak = table.indexOf(Math.max(...table)) / 10;
    expect(Math.max(...table)).toBe(1);
    expect(peak).toBeGreaterThan(4);
    expect(peak).toBeLessThan(8);
    expect(Math.min(...table)).toBeLessThan(-0.02);
    expect(Math.abs(table.at(-1)!)).toBeLessThan(0.01);
  });

  it('has the derivatives it states', () => {
    const subject = createSubject({ voxels: 5, size: 8, degrees: 8, stimulusSeconds: 3 }, createRandom(3));
    const point = [0.12, -0.05, 0.08, -0.11] as [number, number, number, number];
    for (let v = 0; v < 5; v++) {
      const { slopes } = respond(subject, v, point);
      for (let f = 0; f < 4; f++) {
        const shifted = (by: number) => {
          const moved = [...point] as typeof point;
          moved[f]! += by;
          return respond(subject, v, moved).response;
        };
        expect((shifted(1e-5) - shifted(-1e-5)) / 2e-5).toBeCloseTo(slopes[f]!, 5);
      }
    }
  });
});

describe('drawn pictures', () => {
  it('vary in luminance, stay within 0..1 and differ from each other', async () => {
    const { pixels, categories } = await drawPictures(40, 16, createRandom(2));
    expect(pixels.every((value) => value >= 0 && value <= 1)).toBe(true);
    expect(new Set(categories).size).toBeGreaterThan(4);
    const pictures = Array.from({ length: 40 }, (_, i) => pixels.slice(i * 256, (i + 1) * 256).join());
    expect(new Set(pictures).size).toBe(40);
  });
});
