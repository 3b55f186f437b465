import { pacer } from '../../data/pause.ts';
import { F2iError } from '../../error.ts';

/**
 * What is regressed on the voxels, one row a trial: pixels, latents, features. Read in blocks of columns, so that
 * targets larger than memory can stay on disk.
 */
export interface TargetSource {
  readonly trials: number;
  readonly count: number;
  /** The given columns of all trials, [trials, columns.length] row-major; a new array that the caller may give away. */
  read(columns: Int32Array, signal?: AbortSignal): Promise<Float32Array | Float64Array>;
}

/**
 * Targets that are in memory.
 *
 * @param data [trials, count] row-major
 */
export function targetsInMemory(data: Float32Array | Float64Array, trials: number): TargetSource {
  const count = data.length / trials;
  if (!(Number.isInteger(trials) && trials > 0 && Number.isInteger(count) && count > 0)) {
    throw new F2iError('INVALID_ARGUMENT', 'targets do not divide into trials', {
      field: 'targets',
      expected: 'trials x count values',
      found: `${data.length} values for ${trials} trials`,
    });
  }
  return {
    trials,
    count,
    async read(columns, signal) {
      const width = columns.length;
      const values = trials * width;
      const block = data instanceof Float64Array ? new Float64Array(values) : new Float32Array(values);
      const first = columns[0]!;
      const range = isRange(columns);
      const breathe = pacer(signal, 'reading targets');
      for (let row = 0; row < trials; row++) {
        const start = row * count;
        if (range) block.set(data.subarray(start + first, start + first + width), row * width);
        else for (let j = 0; j < width; j++) block[row * width + j] = data[start + columns[j]!]!;
        await breathe();
      }
      return block;
    },
  };
}

/** Consecutive ascending columns? */
function isRange(columns: Int32Array): boolean {
  for (let j = 1; j < columns.length; j++) if (columns[j] !== columns[0]! + j) return false;
  return true;
}

/** Narrower blocks would waste the matrix kernels' tiles. */
const MINIMUM_COLUMNS = 64;

/** Cuts columns into blocks of at most `blockBytes` for `trials` rows (but at least 64 columns). */
export function columnBlocks(
  columns: Int32Array,
  trials: number,
  bytesPerValue: number,
  blockBytes = 16 * 2 ** 20,
): Int32Array[] {
  const width = Math.max(MINIMUM_COLUMNS, Math.floor(blockBytes / (trials * bytesPerValue)));
  const blocks: Int32Array[] = [];
  for (let start = 0; start < columns.length; start += width) {
    blocks.push(columns.subarray(start, start + width));
  }
  return blocks;
}

export function allColumns(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, index) => index);
}
