import type { Design } from '../decoders/ridge/streamed/types.ts';

/** Voxels that are read at once, in steps that go over all of them: some MB of ten thousand rows. */
export const VOXELS_AT_ONCE = 1024;

/** [from, to) of all voxels, in order. */
export function* voxelBlocks(voxels: number): Generator<[from: number, to: number]> {
  for (let from = 0; from < voxels; from += VOXELS_AT_ONCE)
    yield [from, Math.min(voxels, from + VOXELS_AT_ONCE)];
}

/**
 * The same design with each row of its normalised voxels divided by the row's Euclidean norm; a row of zeros stays. Goes
 * over all voxels once, for the norms.
 */
export async function unitRows(design: Design, signal?: AbortSignal): Promise<Design> {
  const squares = { train: new Float64Array(design.train), test: new Float64Array(design.test) };
  for (const [from, to] of voxelBlocks(design.voxels)) {
    const block = await design.read(from, to, signal);
    for (const side of ['train', 'test'] as const) {
      const [values, sums] = [block[side], squares[side]];
      for (let i = 0; i < values.length; i++) sums[Math.floor(i / (to - from))]! += values[i]! ** 2;
    }
  }
  const norms = {
    train: squares.train.map(Math.sqrt),
    test: squares.test.map(Math.sqrt),
  };
  return {
    train: design.train,
    test: design.test,
    voxels: design.voxels,
    ledger: design.ledger,
    ...(design.statistics && { statistics: (from: number, to: number) => design.statistics!(from, to) }),
    async read(from, to, readSignal) {
      const block = await design.read(from, to, readSignal);
      for (const side of ['train', 'test'] as const) {
        const values = block[side];
        for (let i = 0; i < values.length; i++) {
          const norm = norms[side][Math.floor(i / (to - from))]!;
          values[i] = norm > 0 ? values[i]! / norm : 0;
        }
      }
      return block;
    },
  };
}

const TILE = 32;

/** Columns of a row-major matrix [rows, columns], one behind the other: [columns, rows]. */
export function transposed<T extends Float32Array | Float64Array>(values: T, rows: number): T {
  const columns = values.length / rows;
  const result = new (values.constructor as new (length: number) => T)(values.length);
  // In tiles, so that both sides stay in the cache; rows are read in their order, for their length may be a power of two.
  for (let top = 0; top < rows; top += TILE) {
    const bottom = Math.min(rows, top + TILE);
    for (let left = 0; left < columns; left += TILE) {
      const right = Math.min(columns, left + TILE);
      for (let row = top; row < bottom; row++) {
        const start = row * columns;
        for (let column = left; column < right; column++) {
          result[column * rows + row] = values[start + column]!;
        }
      }
    }
  }
  return result;
}
