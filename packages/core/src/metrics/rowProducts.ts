import type { Backend } from '../backend.ts';
import { pacer } from '../data/pause.ts';
import { F2iError } from '../error.ts';
import { hasFloat64 } from '../float64.ts';
import { gemm } from '../ops/index.ts';
import { type Rows, rowExtents } from '../rows.ts';
import type { Tensor } from '../tensor.ts';

/** What a row is brought to before products are taken: `pearson` centres it, too. Both divide by its norm. */
export type Similarity = 'pearson' | 'cosine';

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

/**
 * Similarity of every row of `a` with every row of `b`, over all their values.
 *
 * @param a [m, ...], called `names[0]` in errors
 * @param b [n, ...], of the same trailing extents
 * @returns [m, n] row-major, within [-1, 1]; 0 where either row has no length (for `pearson`: no variance)
 * @throws INVALID_ARGUMENT for other extents, or NaN, naming the side and the first row
 */
export async function rowProducts(
  a: Rows,
  b: Rows,
  similarity: Similarity,
  names: readonly [string, string],
  options: ProductOptions = {},
): Promise<Float64Array> {
  const { backend, signal, deviceWork = DEVICE_WORK } = options;
  const [m, d] = rowExtents(a, names[0]);
  const [n, dOther] = rowExtents(b, names[1]);
  if (d !== dOther) {
    throw new F2iError('INVALID_ARGUMENT', `${names[0]} and ${names[1]} differ in size`, {
      field: names[1],
      expected: `${d} values`,
      found: `${dOther}`,
    });
  }
  const breathe = pacer(signal, 'scoring');
  const left = await unitRows(a, similarity, names[0], breathe);
  const right = await unitRows(b, similarity, names[1], breathe);
  const values =
    backend && m * n * d > deviceWork
      ? await onDevice(backend, left, right, signal)
      : await inJavaScript(left, right, breathe);
  // Rounding may leave the interval by a unit in the last place.
  for (let i = 0; i < values.length; i++) values[i] = Math.max(-1, Math.min(1, values[i]!));
  return values;
}

export interface UnitRows {
  readonly rows: number;
  readonly length: number;
  /** Value j of a row (centred for `pearson`), divided by the norm of all its values; 0 where that is 0. */
  at(row: number, j: number): number;
}

async function unitRows(
  { data, shape }: Rows,
  similarity: Similarity,
  field: string,
  breathe: () => Promise<void> | undefined,
): Promise<UnitRows> {
  const rows = shape[0]!;
  const length = data.length / rows;
  const means = new Float64Array(rows);
  const scales = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const values = data.subarray(row * length, (row + 1) * length);
    let sum = 0;
    let constant = true;
    for (let j = 0; j < length; j++) {
      sum += values[j]!;
      constant &&= values[j] === values[0];
    }
    if (!Number.isFinite(sum)) {
      throw new F2iError('INVALID_ARGUMENT', 'values are NaN or infinite', { field, found: `row ${row}` });
    }
    const mean = similarity === 'pearson' ? sum / length : 0;
    let squares = 0;
    for (let j = 0; j < length; j++) squares += (values[j]! - mean) ** 2;
    means[row] = mean;
    const without = squares === 0 || (similarity === 'pearson' && constant);
    scales[row] = without ? 0 : 1 / Math.sqrt(squares);
    await breathe();
  }
  return { rows, length, at: (row, j) => (data[row * length + j]! - means[row]!) * scales[row]! };
}

async function inJavaScript(
  a: UnitRows,
  b: UnitRows,
  breathe: () => Promise<void> | undefined,
): Promise<Float64Array> {
  const { length } = a;
  const values = new Float64Array(a.rows * b.rows);
  const right = new Float64Array(b.rows * length);
  for (let k = 0; k < b.rows; k++) {
    for (let j = 0; j < length; j++) right[k * length + j] = b.at(k, j);
    await breathe();
  }
  const left = new Float64Array(length);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < length; j++) left[j] = a.at(i, j);
    for (let k = 0; k < b.rows; k++) {
      const start = k * length;
      let sum = 0;
      for (let j = 0; j < length; j++) sum += left[j]! * right[start + j]!;
      values[i * b.rows + k] = sum;
      if (k % 64 === 63) await breathe();
    }
    await breathe();
  }
  return values;
}

/** The same product on a device, summed over blocks of columns so that no large copy of the pictures is made. */
async function onDevice(
  backend: Backend,
  a: UnitRows,
  b: UnitRows,
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const dtype = hasFloat64(backend) ? 'f64' : 'f32';
  const width = Math.max(1, Math.floor(BLOCK_VALUES / Math.max(a.rows, b.rows)));
  const breathe = pacer(signal, 'scoring');
  const block = async (side: UnitRows, from: number, to: number) => {
    const values =
      dtype === 'f64' ? new Float64Array(side.rows * (to - from)) : new Float32Array(side.rows * (to - from));
    for (let row = 0, at = 0; row < side.rows; row++) {
      for (let j = from; j < to; j++) values[at++] = side.at(row, j);
      await breathe();
    }
    return values;
  };
  let sum: Tensor | undefined;
  try {
    for (let from = 0; from < a.length; from += width) {
      const to = Math.min(a.length, from + width);
      const left = await block(a, from, to);
      const right = await block(b, from, to);
      await backend.ready(left.byteLength + right.byteLength);
      const previous = sum;
      sum = backend.scope(() =>
        gemm(
          backend.tensor(left, [a.rows, to - from], dtype),
          backend.tensor(right, [b.rows, to - from], dtype),
          { transB: true, c: previous, signal },
        ),
      );
      previous?.dispose();
    }
    return Float64Array.from((await sum!.download()) as Float64Array);
  } finally {
    sum?.dispose();
  }
}
