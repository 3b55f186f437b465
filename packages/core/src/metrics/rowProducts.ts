import type { Backend } from '../backend.ts';
import { pacer } from '../data/pause.ts';
import { F2iError } from '../error.ts';
import { hasFloat64 } from '../float64.ts';
import { gemm } from '../ops/index.ts';
import type { Tensor } from '../tensor.ts';
import { type RowScales, rowScales, type Similarity } from './rowScales.ts';
import { type ComparedRows, type RowValues, rowValues, type Stretch } from './rowValues.ts';

export type { Similarity } from './rowScales.ts';

export interface ProductOptions {
  /** Computes large products on this device, in float64 where it can; JavaScript does small ones. */
  backend?: Backend | undefined;
  /** Products of more multiplications than this go to the device; 2e7 by default, 0 for all. */
  deviceWork?: number | undefined;
  signal?: AbortSignal | undefined;
}

const DEVICE_WORK = 2e7;
/** Values of one uploaded block. */
const BLOCK_VALUES = 2 ** 21;
/** Blocks that are read from a file at once: its rows lie far apart. */
const BLOCKS_OF_WINDOW = 8;

/**
 * Similarity of every row of `a` with every row of `b`, over all their values. Rows that lie in files are read in windows
 * of columns, 64 MiB each: what is held does not grow with the length of the rows, and the result is that of rows in memory
 * to the bit.
 *
 * @param a [m, ...], called `names[0]` in errors
 * @param b [n, ...], of the same trailing extents
 * @returns [m, n] row-major, within [-1, 1]; 0 where either row has no length (for `pearson`: no variance)
 * @throws INVALID_ARGUMENT for other extents, or NaN, naming the side and the first row; of files what reading them throws
 */
export async function rowProducts(
  a: ComparedRows,
  b: ComparedRows,
  similarity: Similarity,
  names: readonly [string, string],
  options: ProductOptions = {},
): Promise<Float64Array> {
  const { backend, signal, deviceWork = DEVICE_WORK } = options;
  const [left, right] = [rowValues(a, names[0]), rowValues(b, names[1])];
  const [m, n, d] = [left.rows, right.rows, left.length];
  if (d !== right.length) {
    throw new F2iError('INVALID_ARGUMENT', `${names[0]} and ${names[1]} differ in size`, {
      field: names[1],
      expected: `${d} values`,
      found: `${right.length}`,
    });
  }
  const width = Math.max(1, Math.floor(BLOCK_VALUES / Math.max(m, n)));
  const window = width * BLOCKS_OF_WINDOW;
  const sides = {
    left: { ...left, scales: await rowScales(a, left, similarity, names[0], window, signal) },
    right: { ...right, scales: await rowScales(b, right, similarity, names[1], window, signal) },
  };
  const breathe = pacer(signal, 'scoring');
  const onDevice = backend && m * n * d > deviceWork;
  const sum = onDevice ? new DeviceSum(backend, m, n, signal) : new PlainSum(m, n, breathe);
  try {
    for (let start = 0; start < d; start += window) {
      const end = Math.min(d, start + window);
      const windows = await Promise.all([left.read(start, end, signal), right.read(start, end, signal)]);
      for (let from = start; from < end; from += width) {
        const to = Math.min(end, from + width);
        await sum.add(
          await unitBlock(sides.left, windows[0], [from, to], sum.type, breathe),
          await unitBlock(sides.right, windows[1], [from, to], sum.type, breathe),
          to - from,
        );
      }
    }
    const values = await sum.values();
    // Rounding may leave the interval by a unit in the last place.
    for (let i = 0; i < values.length; i++) values[i] = Math.max(-1, Math.min(1, values[i]!));
    return values;
  } finally {
    sum.dispose();
  }
}

type Block = Float32Array | Float64Array;
type BlockType = Float32ArrayConstructor | Float64ArrayConstructor;

/** Columns of rows of length 1, [rows, to - from]. */
async function unitBlock(
  { rows, scales: { means, scales } }: RowValues & { readonly scales: RowScales },
  { values, stride, first }: Stretch,
  [from, to]: readonly [number, number],
  Type: BlockType,
  breathe: () => Promise<void> | undefined,
): Promise<Block> {
  const block = new Type(rows * (to - from));
  for (let row = 0, at = 0; row < rows; row++) {
    const start = row * stride - first;
    for (let j = from; j < to; j++) block[at++] = (values[start + j]! - means[row]!) * scales[row]!;
    await breathe();
  }
  return block;
}

/** Adds the products of blocks of columns in JavaScript. */
class PlainSum {
  readonly type = Float64Array;
  readonly #sums: Float64Array;
  readonly #rows: readonly [number, number];
  readonly #breathe: () => Promise<void> | undefined;

  constructor(m: number, n: number, breathe: () => Promise<void> | undefined) {
    this.#rows = [m, n];
    this.#sums = new Float64Array(m * n);
    this.#breathe = breathe;
  }

  async add(left: Block, right: Block, width: number): Promise<void> {
    const [m, n] = this.#rows;
    const sums = this.#sums;
    for (let i = 0; i < m; i++) {
      for (let k = 0; k < n; k++) {
        let sum = sums[i * n + k]!;
        for (let j = 0; j < width; j++) sum += left[i * width + j]! * right[k * width + j]!;
        sums[i * n + k] = sum;
        if (k % 64 === 63) await this.#breathe();
      }
      await this.#breathe();
    }
  }

  values = async () => this.#sums;
  dispose(): void {}
}

/** The same on a device: no copy of whole rows is made there either. */
class DeviceSum {
  readonly type: BlockType;
  readonly #backend: Backend;
  readonly #rows: readonly [number, number];
  readonly #signal: AbortSignal | undefined;
  #sum: Tensor | undefined;

  constructor(backend: Backend, m: number, n: number, signal: AbortSignal | undefined) {
    this.type = hasFloat64(backend) ? Float64Array : Float32Array;
    this.#backend = backend;
    this.#rows = [m, n];
    this.#signal = signal;
  }

  async add(left: Block, right: Block, width: number): Promise<void> {
    const [m, n] = this.#rows;
    const dtype = this.type === Float64Array ? 'f64' : 'f32';
    const backend = this.#backend;
    // The blocks before, which were computed while these were made: no more of them are held.
    await backend.sync();
    const previous = this.#sum;
    this.#sum = backend.scope(() =>
      gemm(backend.tensor(left, [m, width], dtype), backend.tensor(right, [n, width], dtype), {
        transB: true,
        c: previous,
        signal: this.#signal,
      }),
    );
    previous?.dispose();
  }

  async values(): Promise<Float64Array> {
    return Float64Array.from((await this.#sum!.download()) as Float64Array);
  }

  dispose(): void {
    this.#sum?.dispose();
  }
}
