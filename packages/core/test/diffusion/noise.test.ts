import { afterAll, describe, expect, it } from 'vitest';
import {
  createReferenceBackend,
  type NoiseStream,
  type RecordedNoise,
  recordedItem,
  recordedNoise,
  seededNoise,
} from '../../src/index.ts';

const backend = createReferenceBackend();
afterAll(() => backend.dispose());

const SHAPE = [3, 5];

async function draw(seed: number, streams: NoiseStream[], number: number): Promise<number[]> {
  const [values] = await backend.compute(() => [seededNoise(backend, SHAPE, seed, streams)(number)]);
  return [...values];
}

const stream = (item: number, sample = 0): NoiseStream => ({ item, sample });

describe('noise from a seed', () => {
  it('is the same for an item whatever is sampled beside it', async () => {
    const together = await draw(42, [stream(3), stream(7), stream(7, 1)], 2);
    expect(together.slice(0, 15)).toEqual(await draw(42, [stream(3)], 2));
    expect(together.slice(15, 30)).toEqual(await draw(42, [stream(7)], 2));
    expect(together.slice(30)).toEqual(await draw(42, [stream(7, 1)], 2));
  });

  it('differs between items, samples, draws and seeds, in their high bits too', async () => {
    const draws = await Promise.all([
      draw(42, [stream(3)], 0),
      draw(42, [stream(4)], 0),
      draw(42, [stream(3, 1)], 0),
      draw(42, [stream(3)], 1),
      draw(43, [stream(3)], 0),
      draw(42 + 2 ** 32, [stream(3)], 0),
    ]);
    expect(new Set(draws.flat()).size).toBe(draws.flat().length);
  });

  it('refuses seeds that are none', () => {
    for (const seed of [-1, 0.5, 2 ** 53]) {
      expect(() => seededNoise(backend, SHAPE, seed, [])).toThrow(/seed: the seed is out of range/);
    }
  });
});

describe('recorded noise', () => {
  const of = (items: number, steps: number): RecordedNoise => ({
    initial: { data: Float32Array.from({ length: items * 15 }, (_, i) => i), shape: [items, ...SHAPE] },
    steps: {
      data: Float32Array.from({ length: steps * items * 15 }, (_, i) => 1000 + i),
      shape: [steps, items, ...SHAPE],
    },
  });

  it('comes in the order of the sampler', async () => {
    const draws = recordedNoise(backend, [2, ...SHAPE], 4, of(2, 4));
    const [first, third] = await backend.compute(() => [draws(0), draws(3)]);
    expect([first[0], first[29]]).toEqual([0, 29]);
    expect([third[0], third[29]]).toEqual([1060, 1089]);
  });

  it('is taken apart by items', () => {
    const { initial, steps } = recordedItem(of(2, 4), 1);
    expect(initial.shape).toEqual([1, ...SHAPE]);
    expect(initial.data[0]).toBe(15);
    expect(steps.shape).toEqual([4, 1, ...SHAPE]);
    expect([steps.data[0], steps.data[15], steps.data[59]]).toEqual([1015, 1045, 1119]);
    expect(() => recordedItem(of(2, 4), 2)).toThrow(/noise\.initial.*expected 3 items or more, found 2/);
  });

  it('is not padded, one item of it neither, and holds numbers alone', () => {
    const noise = of(2, 4);
    const short = { ...noise, steps: { ...noise.steps, data: new Float32Array(3) } };
    expect(() => recordedItem(short, 0)).toThrow(/noise\.steps.*expected 120 values.*found 3/);
    noise.steps.data[1 * 30 + 15] = Number.NaN;
    expect(() => recordedItem(noise, 0)).not.toThrow();
    expect(() => recordedItem(noise, 1)).toThrow(/noise\.steps.*found NaN at value 15 of item 1/);
    expect(() => recordedNoise(backend, [2, ...SHAPE], 4, noise)).toThrow(/noise\.steps.*NaN at value 45/);
    for (const bad of [{}, { initial: 1, steps: 2 }, 3, { initial: noise.initial, steps: { shape: [1] } }]) {
      const attempt = () => recordedItem(bad as unknown as RecordedNoise, 0);
      expect(attempt).toThrow(/noise\.(initial|steps): not recorded noise/);
    }
  });

  it.each<[string, RecordedNoise, RegExp]>([
    ['another number of items', of(3, 4), /noise\.initial.*expected \[2, 3, 5\], found \[3, 3, 5\]/],
    ['too few steps', of(2, 3), /noise\.steps.*expected \[4, 2, 3, 5\], found \[3, 2, 3, 5\]/],
    ['too many steps', of(2, 6), /noise\.steps/],
    [
      'too few values',
      { ...of(2, 4), initial: { data: new Float32Array(29), shape: [2, ...SHAPE] } },
      /noise\.initial.*expected 30 values.*found 29/,
    ],
  ])('is refused with %s', (_, noise, message) => {
    expect(() => recordedNoise(backend, [2, ...SHAPE], 4, noise)).toThrow(message);
  });

  it('may have the draw at the last timestep that programs multiply by 0', () => {
    expect(() => recordedNoise(backend, [2, ...SHAPE], 4, of(2, 5))).not.toThrow();
  });
});
