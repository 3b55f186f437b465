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

/** One item of recorded noise by itself: a view of its start, a copy of what its steps add. */
export function recordedItem({ initial, steps }: RecordedNoise, item: number): RecordedNoise {
  const [items = 0, ...shape] = initial.shape;
  const [evaluations = 0, same] = steps.shape;
  if (!(Number.isInteger(item) && item >= 0 && item < items)) {
    throw new F2iError('INVALID_ARGUMENT', 'the recorded noise holds no such item', {
      field: 'noise.initial',
      expected: `${item + 1} items or more`,
      found: `${items}`,
    });
  }
  if (same !== items) throw misfit('noise.steps', [evaluations, items, ...shape], steps.shape);
  const size = sizeOf(shape);
  const data = new Float32Array(evaluations * size);
  for (let i = 0; i < evaluations; i++) {
    const start = (i * items + item) * size;
    data.set(steps.data.subarray(start, start + size), i * size);
  }
  return {
    initial: { data: initial.data.subarray(item * size, (item + 1) * size), shape: [1, ...shape] },
    steps: { data, shape: [evaluations, 1, ...shape] },
  };
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
    throw new F2iError('INVALID_ARGUMENT', 'the seed is out of range', {
      field: 'seed',
      expected: 'an integer from 0 to 2^53 - 1',
      found: `${seed}`,
    });
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
  { initial, steps }: RecordedNoise,
): NoiseDraws {
  checkRecorded('noise.initial', initial, shape);
  const [count = 0] = steps.shape;
  const needed = count === draws + 1 ? count : draws;
  checkRecorded('noise.steps', steps, [needed, ...shape]);
  const size = sizeOf(shape);
  return (draw) => {
    const data =
      draw === 0 ? initial.data.subarray(0, size) : steps.data.subarray((draw - 1) * size, draw * size);
    return backend.tensor(data, shape);
  };
}

function checkRecorded(field: string, { data, shape }: Recorded, expected: readonly number[]): void {
  if (shape.join() !== expected.join()) throw misfit(field, expected, shape);
  if (data.length === sizeOf(shape)) return;
  throw new F2iError('INVALID_ARGUMENT', 'the values do not fill their shape', {
    field,
    expected: `${sizeOf(shape)} values`,
    found: `${data.length}`,
  });
}

function misfit(field: string, expected: readonly number[], found: readonly number[]): F2iError {
  return new F2iError('INVALID_ARGUMENT', 'the recorded noise is not of the shape that the sampler draws', {
    field,
    expected: `[${expected.join(', ')}]`,
    found: `[${found.join(', ')}]`,
  });
}
