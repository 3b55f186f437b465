import { afterAll, describe, expect, it } from 'vitest';
import {
  createRandom,
  createReferenceBackend,
  DEMO_SIMULATION,
  type F2iError,
  noiseCeiling,
  noiseCeilingOf,
  oracleAmplitudes,
  simulate,
} from '../../src/index.ts';

const backend = createReferenceBackend();
afterAll(() => backend.dispose());

const random = createRandom(4);
/** Stimuli with three, two and one presentations, as in an unfinished NSD subject. */
const PRESENTATIONS = [...Array(150).fill(3), ...Array(80).fill(2), ...Array(70).fill(1)] as number[];
const stimuli = random.shuffle(PRESENTATIONS.flatMap((n, s) => Array<number>(n).fill(s)));
const N = stimuli.length;
/** Standard deviations of signal and noise. */
const VOXELS = Array.from({ length: 60 }, (_, v) => [v % 3 === 0 ? 0 : 1 + (v % 5), 1 + (v % 4)] as const);
const V = VOXELS.length;
const truth = VOXELS.map(([signal, noise]) => signal / noise);
const signals = PRESENTATIONS.map(() => random.normals(V));
const responses = Float32Array.from(
  { length: N * V },
  (_, i) =>
    100 * (i % V) +
    VOXELS[i % V]![0] * signals[stimuli[Math.floor(i / V)]!]![i % V]! +
    VOXELS[i % V]![1] * random.normal(),
);

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;

describe('noiseCeilingOf', () => {
  it('finds the true ceiling without bias, for unequal numbers of presentations', async () => {
    const ceiling = (await noiseCeilingOf({ data: responses, shape: [N, V] }, stimuli))!;
    expect(ceiling.counts).toEqual({ 1: 70, 2: 80, 3: 150 });
    // NSD's weights: a third, a half, one.
    expect(ceiling.meanInverse).toBeCloseTo((150 / 3 + 80 / 2 + 70) / 300, 12);
    const errors = truth.map((ncsnr, v) => {
      const single = (100 * ncsnr ** 2) / (ncsnr ** 2 + 1);
      const averaged = (100 * ncsnr ** 2) / (ncsnr ** 2 + ceiling.meanInverse);
      expect(Math.abs(ceiling.singleTrial[v]! - single)).toBeLessThan(20);
      expect(Math.abs(ceiling.averaged[v]! - averaged)).toBeLessThan(30);
      return ceiling.singleTrial[v]! - single;
    });
    // Voxels with signal: no bias (without signal, negative estimates are cut off at 0).
    expect(Math.abs(mean(errors.filter((_, v) => truth[v]! > 0)))).toBeLessThan(1.2);
    const variances = VOXELS.map(([, noise], v) => ceiling.noise[v]! / noise ** 2);
    expect(mean(variances)).toBeCloseTo(1, 1);
    expect(mean(ceiling.singleTrial.filter((_, v) => truth[v] === 0))).toBeLessThan(5);
    // The formula, of what was estimated.
    ceiling.ncsnr.forEach((ncsnr, v) => {
      expect(ceiling.averaged[v]).toBeCloseTo((100 * ncsnr ** 2) / (ncsnr ** 2 + ceiling.meanInverse), 6);
    });
  });

  it('does not depend on how responses are read, and takes other numbers of presentations', async () => {
    const whole = (await noiseCeilingOf({ data: responses, shape: [N, V] }, stimuli))!;
    const asked: [number, number][] = [];
    const source = {
      trials: N,
      voxels: V,
      readTrials: async (from: number, to: number) => {
        asked.push([from, to]);
        return responses.slice(from * V, to * V);
      },
    };
    // Room for seven voxels at once.
    const passes = (await noiseCeilingOf(source, stimuli, { memory: 7 * 8 * 300, averaged: [3, 3, 2] }))!;
    expect(asked.length).toBe(Math.ceil(V / 7) * Math.ceil(N / 256));
    expect(passes.ncsnr).toEqual(whole.ncsnr);
    expect(passes.meanInverse).toBeCloseTo((2 / 3 + 1 / 2) / 3, 12);
    expect(passes.averaged).not.toEqual(whole.averaged);
  });

  it('is not misled by gains and offsets of sessions once it knows them', async () => {
    const sessions = Array.from({ length: N }, (_, i) => Math.floor((4 * i) / N));
    const drifting = responses.map((value, i) => {
      const session = sessions[Math.floor(i / V)]!;
      return (value - 100 * (i % V)) * (1 + session) + 40 * session;
    });
    const naive = (await noiseCeilingOf({ data: drifting, shape: [N, V] }, stimuli))!;
    const informed = (await noiseCeilingOf({ data: drifting, shape: [N, V] }, stimuli, { sessions }))!;
    const wrong = (found: Float64Array) => mean(found.map((value, v) => Math.abs(value - truth[v]!)));
    expect(wrong(informed.ncsnr)).toBeLessThan(0.15);
    expect(wrong(naive.ncsnr)).toBeGreaterThan(2 * wrong(informed.ncsnr));
    const back = sessions.with(N - 1, 0);
    const failure = await noiseCeilingOf({ data: drifting, shape: [N, V] }, stimuli, {
      sessions: back,
    }).catch((error: F2iError) => error.message);
    expect(failure).toMatch(/comes back.*session 0 again/s);
  });

  it('agrees with what the simulator knows', async () => {
    const simulation = await simulate(
      {
        ...DEMO_SIMULATION,
        voxels: 60,
        size: 8,
        trainPictures: 60,
        testPictures: 40,
        testRepeats: 3,
        trialsPerRun: 40,
      },
      backend,
    );
    const amplitudes = await oracleAmplitudes(simulation, backend);
    const shown = amplitudes.presentations.map(({ picture }) => picture);
    const shape = [shown.length, 60];
    const found = (await noiseCeilingOf({ data: amplitudes.measured, shape }, shown))!;
    // Of these very pictures: the signal is what is left of the responses without their noise.
    const clean = amplitudes.measured.map((value, i) => value - amplitudes.noise[i]!);
    const { noiseVariance } = noiseCeiling(amplitudes, 3);
    const expected = Array.from({ length: 60 }, (_, v) => {
      const values = new Map(shown.map((picture, i) => [picture, clean[i * 60 + v]!]));
      const centre = mean([...values.values()]);
      const variance =
        [...values.values()].reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.size - 1);
      return (100 * variance) / (variance + noiseVariance[v]!);
    });
    const differences = expected.map((value, v) => found.singleTrial[v]! - value);
    expect(Math.abs(mean(differences))).toBeLessThan(4);
    expect(mean(differences.map(Math.abs))).toBeLessThan(9);
    expect(mean(expected)).toBeGreaterThan(15);
  });

  it('says nothing without repeats, and names what is no response', async () => {
    const data = new Float32Array([1, 2, 3, 4, 5, 6]);
    const shape = [3, 2];
    expect(await noiseCeilingOf({ data, shape }, [0, 1, 2])).toBeUndefined();
    expect(await noiseCeilingOf({ data, shape }, [0, 0, undefined])).toBeUndefined();
    const failure = (given: Float32Array, labels: number[]) =>
      noiseCeilingOf({ data: given, shape }, labels).catch((error: F2iError) => error.message);
    expect(await failure(data.with(3, Number.NaN), [0, 0, 1])).toMatch(/NaN in trial 1, voxel 1/);
    expect(await failure(data, [0, 0])).toMatch(/stimuli.*3.*2/s);
    const still = (await noiseCeilingOf({ data: new Float32Array(8).fill(3), shape: [4, 2] }, [0, 0, 1, 1]))!;
    expect([...still.ncsnr, ...still.averaged]).toEqual([0, 0, 0, 0]);
  });
});
