import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  cosineSchedule,
  createReferenceBackend,
  drawPrior,
  Prior,
  type ResidentNetwork,
  type SamplePriorOptions,
  type SamplingStep,
  samplePrior,
  type Tensor,
} from '../../src/index.ts';
import { normals, TINY_PRIOR, tinyPrior } from './prior.ts';

const backend = createReferenceBackend();
const [TOKENS, DIM] = [TINY_PRIOR.extents.get('tokens')!, TINY_PRIOR.extents.get('clip')!];
const SIZE = TOKENS * DIM;
let network: ResidentNetwork;
let prior: Prior;
let brain: Tensor;
let held: number;

beforeAll(async () => {
  network = tinyPrior(backend);
  prior = await Prior.open(network);
  brain = normals(backend, [2, TOKENS, DIM], 5);
  held = backend.stats().liveTensors;
});
afterEach(() => expect(backend.stats().liveTensors).toBe(held));
afterAll(() => backend.dispose());

const SHORT = { timesteps: 4, seed: 42 };

async function sample(options: SamplePriorOptions = {}, from = brain): Promise<Float32Array> {
  const tokens = await drawPrior(prior, from, { ...SHORT, ...options });
  const values = await tokens.download();
  tokens.dispose();
  return values as Float32Array;
}

describe('sampling the prior', () => {
  it('tells how far it is, with previews, and ends with the last estimate', async () => {
    const sampling = samplePrior(prior, brain, SHORT);
    const seen: [number, number, number][] = [];
    let last: Float32Array | undefined;
    let step = await sampling.next();
    while (!step.done) {
      const { done, total, timestep, input, estimate } = step.value as SamplingStep;
      seen.push([done, total, timestep]);
      expect(input.shape).toEqual([2, TOKENS, DIM]);
      last = (await estimate.download()) as Float32Array;
      step = await sampling.next();
    }
    expect(seen).toEqual([
      [1, 3, 74],
      [2, 3, 49],
      [3, 3, 24],
    ]);
    const tokens = step.value;
    expect(await tokens.download()).toEqual(last);
    tokens.dispose();
  });

  it('repeats itself with a seed, and not with another', async () => {
    const first = await sample();
    expect(await sample()).toEqual(first);
    expect(await sample({ seed: 43 })).not.toEqual(first);
  });

  it('gives an item the same sample in any company', async () => {
    const together = await sample({ items: [3, 8] });
    using second = brain.rows(1, 2);
    expect(await sample({ items: [8] }, second)).toEqual(together.subarray(SIZE));
  });

  it('draws several samples of an item, the first of them as if alone', async () => {
    const [one, three] = [await sample(), await sample({ samples: 3 })];
    expect(three).toHaveLength(6 * SIZE);
    expect(three.subarray(0, SIZE)).toEqual(one.subarray(0, SIZE));
    expect(three.subarray(3 * SIZE, 4 * SIZE)).toEqual(one.subarray(SIZE));
    expect(three.subarray(SIZE, 2 * SIZE)).not.toEqual(three.subarray(0, SIZE));
  });

  it('takes recorded noise instead of the seed', async () => {
    const shape = [2, TOKENS, DIM];
    const data = (count: number, value: number) => new Float32Array(count * 2 * SIZE).fill(value);
    const noise = {
      initial: { data: data(1, 0.5), shape },
      steps: { data: data(2, -0.25), shape: [2, ...shape] },
    };
    const recorded = await sample({ noise });
    expect(await sample({ noise, seed: 1 })).toEqual(recorded);
    const other = { ...noise, steps: { ...noise.steps, data: data(2, 0.25) } };
    expect(await sample({ noise: other })).not.toEqual(recorded);
    const long = { ...noise, steps: { data: data(5, 0), shape: [5, ...shape] } };
    await expect(sample({ noise: long })).rejects.toThrow(/noise\.steps/);
  });

  it('guides: at 0 by what the network says of nobody, linear in the scale', async () => {
    // With one evaluation the sample is linear in the guidance.
    const short = { timesteps: 2 };
    const [none, half, full] = [
      await sample({ ...short, guidance: 0 }),
      await sample({ ...short, guidance: 0.5 }),
      await sample({ ...short, guidance: 1 }),
    ];
    expect(none.subarray(0, SIZE)).toEqual(none.subarray(SIZE));
    for (const [i, value] of half.entries()) expect(value).toBeCloseTo((none[i]! + full[i]!) / 2, 5);
    expect(full).not.toEqual(none);
  });

  it('frees everything when its loop is left', async () => {
    for await (const { done } of samplePrior(prior, brain, SHORT)) if (done === 2) break;
  });

  it('frees everything when a step is not taken well', async () => {
    const onStep = ({ done }: SamplingStep) => {
      if (done === 2) throw new Error('enough');
    };
    await expect(drawPrior(prior, brain, { ...SHORT, onStep })).rejects.toThrow('enough');
  });

  it('runs through the schedule that it is given', async () => {
    const seen: number[] = [];
    const onStep = ({ timestep }: SamplingStep) => seen.push(timestep);
    const schedule = cosineSchedule(5);
    const short = await drawPrior(prior, brain, { ...SHORT, schedule, timesteps: 5, onStep });
    short.dispose();
    expect(seen).toEqual([4, 3, 2, 1, 0]);
  });

  it('ends with CANCELLED on an abort, and frees everything', async () => {
    const controller = new AbortController();
    const sampling = drawPrior(prior, brain, {
      ...SHORT,
      signal: controller.signal,
      onStep: ({ done }) => done === 2 && controller.abort(),
    });
    await expect(sampling).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(sample({ signal: controller.signal })).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it.each<[string, SamplePriorOptions, RegExp]>([
    ['no samples', { samples: 0 }, /samples: not a number of samples/],
    ['too many items', { items: [1, 2, 3] }, /items: a number for each item.*expected 2, found 3/],
    ['one timestep', { timesteps: 1 }, /timesteps/],
    ['a broken seed', { seed: -1 }, /seed/],
  ])('refuses %s', async (_, options, message) => {
    await expect(sample(options)).rejects.toThrow(message);
  });
});
