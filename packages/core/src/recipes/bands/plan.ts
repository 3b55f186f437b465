import { F2iError } from '../../error.ts';
import { atLeast, atMost } from '../megabytes.ts';

/** Values of a head that are scored: wider ones are represented by so many. */
export const MOST_VALUES = 2048;

export interface BandSizes {
  readonly train: number;
  readonly bands: number;
  readonly precision: 'f32' | 'f64';
}

/** Hat matrices of several penalties are held at once up to this size: see `crossValidate`. */
const HATS = 256 * 2 ** 20;
/** Penalties of a grid, at most as a rule. */
const PENALTIES = 16;

/**
 * Bytes of a search for the weights of bands: a Gram matrix a band, their weighted sum while it is made, matrices, factors and
 * hat matrices of a fold, and the values that are scored, as they were read and on the device.
 */
export function bandBytes({ train, bands, precision }: BandSizes): number {
  const size = precision === 'f32' ? 4 : 8;
  const matrix = train * train * size;
  return (bands + 6) * matrix + Math.min(HATS, PENALTIES * matrix) + train * MOST_VALUES * (8 + 3 * size);
}

/** @throws OUT_OF_MEMORY with both numbers */
export function checkBandMemory(sizes: BandSizes, memory: number | undefined, resident = 0): void {
  const needed = bandBytes(sizes) + resident;
  if (memory === undefined || needed <= memory) return;
  throw new F2iError(
    'OUT_OF_MEMORY',
    'the Gram matrices of the bands do not fit into memory; less takes fewer bands, fewer training rows (the average of repeats), or --precision f32',
    {
      field: 'memory',
      expected: `at most ${atMost(memory)}`,
      found: `${atLeast(needed)} for ${sizes.bands} bands of ${sizes.train} training rows`,
    },
  );
}
