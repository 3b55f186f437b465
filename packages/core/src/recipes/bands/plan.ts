import { F2iError } from '../../error.ts';

export interface BandSizes {
  readonly train: number;
  readonly bands: number;
  readonly precision: 'f32' | 'f64';
}

/** Folds, and targets of a search: what a cross-validation takes beside matrices. */
const BESIDE = 384 * 2 ** 20;

/**
 * Bytes of a search for the weights of bands: a Gram matrix a band, their weighted sum while it is made, and the matrices and
 * factors of a fold.
 */
export const bandBytes = ({ train, bands, precision }: BandSizes): number =>
  (bands + 6) * train * train * (precision === 'f32' ? 4 : 8) + BESIDE;

/** @throws OUT_OF_MEMORY with both numbers */
export function checkBandMemory(sizes: BandSizes, memory: number | undefined, resident = 0): void {
  const needed = bandBytes(sizes) + resident;
  if (memory === undefined || needed <= memory) return;
  throw new F2iError(
    'OUT_OF_MEMORY',
    'the Gram matrices of the bands do not fit into memory; less takes fewer bands, fewer training rows (the average of repeats), or --precision f32',
    {
      field: 'memory',
      expected: `at most ${Math.floor(memory / 1e6)} MB`,
      found: `${Math.ceil(needed / 1e6)} MB for ${sizes.bands} bands of ${sizes.train} training rows`,
    },
  );
}
