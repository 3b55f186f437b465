import type { Backend } from '../backend.ts';
import { F2iError } from '../error.ts';
import { concat } from '../ops/concat.ts';
import { randomNormal } from '../ops/random_normal.ts';
import { philox } from '../reference/random_normal.ts';
import { sizeOf, type Tensor } from '../tensor.ts';

/** Values with their extents, row-major. */
export interface Recorded {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/**
 * Noise of a sampler that was recorded elsewhere: it takes the place of draws from a seed, so that a run of the original
 * program can be repeated.
 */
export interface RecordedNoise {
  /** Where each sample starts: [items, tokens, dim]. */
  readonly initial: Recorded;
  /** What each evaluation but the last adds, in the sampler's order: [evaluations, items, tokens, dim]. */
  readonly steps: Recorded;
}

/**
 * One item of recorded noise by itself: a view of its start, a copy of what its steps add.
 *
 * @throws INVALID_ARGUMENT for an item that there is not, values that do not fill their shape, NaN and infinity
 */
export function recordedItem(noise: RecordedNoise, item: number): RecordedNoise {
  checkRecordedNoise(noise);
  const { initial, steps } = noise;
  const [items = 0, ...shape] = initial.shape;
  const [evaluations = 0, same] = steps.shape;
  if (!(Number.isInteger(item) && item >= 0 && item < items)) {
    const message = 'the recorded noise holds no such item';
    throw invalid(message, 'noise.initial', `${item + 1} items or more`, `${items}`);
  }
  if (same !== items) throw misfit('noise.steps', [evaluations, items, ...shape], steps.shape);
  const size = sizeOf(shape);
  const data = new Float32Array(evaluations * size);
  for (let i = 0; i < evaluations; i++) {
    const start = (i * items + item) * size;
    data.set(steps.data.subarray(start, start + size), i * size);
  }
  const own: RecordedNoise = {
    initial: { data: initial.data.subarray(item * size, (item + 1) * size), shape: [1, ...shape] },
    steps: { data, shape: [evaluations, 1, ...shape] },
  };
  checkFinite(own, ` of item ${item}`);
  return own;
}

/** Throws INVALID_ARGUMENT for what is not recorded noise, and for values that do not fill their shape. */
export function checkRecordedNoise(noise: RecordedNoise): void {
  for (const name of ['initial', 'steps'] as const) {
    const field = `noise.${name}`;
    const { data, shape } = (noise?.[name] ?? {}) as Partial<Recorded>;
    if (!(data instanceof Float32Array && Array.isArray(shape))) {
      const found = noise?.[name] === undefined ? 'nothing' : 'something else';
      throw invalid('not recorded noise', field, '{ data: a Float32Array, shape: its extents }', found);
    }
    if (data.length === sizeOf(shape)) continue;
    const expected = `${sizeOf(shape)} values, [${shape.join(', ')}]`;
    throw invalid('the values do not fill their shape', field, expected, `${data.length}`);
  }
}

/** Draws of a sampler, in its order: draw 0 is where it starts. Each is a new tensor, of one shape. */
export type NoiseDraws = (draw: number) => Tensor;

/** Where the noise of a sample comes from, whatever else is sampled beside it. */
export interface NoiseStream {
  /** Of a trial, or whatever is sampled: 32 bits. */
  readonly item: number;
  /** Which of several samples of the item. */
  readonly sample: number;
}

/**
 * Noise from a seed: a stream of its own for each sample of each item (its key is a block of Philox of item and sample
 * under the seed), so that a sample is the same on every device and in every batch.
 *
 * @param shape of one sample; the draws are [streams, ...shape]
 */
export function seededNoise(
  backend: Backend,
  shape: readonly number[],
  seed: number,
  streams: readonly NoiseStream[],
  signal?: AbortSignal,
): NoiseDraws {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw invalid('the seed is out of range', 'seed', 'an integer from 0 to 2^53 - 1', `${seed}`);
  }
  const words = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)] as const;
  const keys = streams.map(({ item, sample }) => philox([item, sample, 0, 1], words));
  const size = sizeOf(shape);
  return (draw) =>
    backend.scope(() => {
      const offset = draw * size;
      const rows = keys.map(([low, high]) =>
        randomNormal(backend, [1, ...shape], { seed: [low, high], offset, signal }),
      );
      return rows.length === 1 ? rows[0]! : concat(rows, 0, { signal });
    });
}

/**
 * Recorded noise as draws, checked against what the sampler needs: as many steps as it draws, or one more, which
 * programs draw at the last timestep and multiply by 0.
 *
 * @param shape [items, ...] of one draw
 * @param draws of steps, without the start
 */
export function recordedNoise(
  backend: Backend,
  shape: readonly number[],
  draws: number,
  noise: RecordedNoise,
): NoiseDraws {
  checkRecordedNoise(noise);
  const { initial, steps } = noise;
  checkShape('noise.initial', initial, shape);
  const [count = 0] = steps.shape;
  const needed = count === draws + 1 ? count : draws;
  checkShape('noise.steps', steps, [needed, ...shape]);
  checkFinite(noise);
  const size = sizeOf(shape);
  return (draw) => {
    const data =
      draw === 0 ? initial.data.subarray(0, size) : steps.data.subarray((draw - 1) * size, draw * size);
    return backend.tensor(data, shape);
  };
}

function checkShape(field: string, { shape }: Recorded, expected: readonly number[]): void {
  if (shape.join() !== expected.join()) throw misfit(field, expected, shape);
}

/** @param whose for people: ` of item 3` */
function checkFinite(noise: RecordedNoise, whose = ''): void {
  for (const name of ['initial', 'steps'] as const) {
    const { data } = noise[name];
    const bad = data.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) continue;
    const found = `${data[bad]} at value ${bad}${whose}`;
    throw invalid('the recorded noise holds NaN or infinity', `noise.${name}`, 'finite values', found);
  }
}

function misfit(field: string, expected: readonly number[], found: readonly number[]): F2iError {
  const message = 'the recorded noise is not of the shape that the sampler draws';
  return invalid(message, field, `[${expected.join(', ')}]`, `[${found.join(', ')}]`);
}

function invalid(message: string, field: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
