import type { Backend } from '../backend.ts';
import { pacer } from '../data/pause.ts';
import { F2iError } from '../error.ts';
import { hasFloat64 } from '../float64.ts';
import { gemm } from '../ops/index.ts';
import { type Rows, rowExtents } from '../rows.ts';
import type { Tensor } from '../tensor.ts';

export interface CorrelationOptions {
  /** Computes large products on this device, in float64 where it can; JavaScript does small ones. */
  backend?: Backend | undefined;
  signal?: AbortSignal | undefined;
}

export interface CorrelationMatrix {
  /** Pearson correlations [truths, reconstructions], row-major; 0 where either side has no variance. */
  readonly values: Float64Array;
  readonly truths: number;
  readonly reconstructions: number;
}

/** Products above this many multiplications go to the device. */
const DEVICE_WORK = 2e7;
/** Values of one uploaded block. */
const BLOCK_VALUES = 2 ** 21;

/**
 * Pearson correlation of every true picture (or feature vector) with every reconstruction, over all their values.
 *
 * @param truth [m, ...]
 * @param reconstructions [n, ...], of the same trailing extents
 * @throws INVALID_ARGUMENT for NaN, naming the side and the first row
 */
export async function correlationMatrix(
  truth: Rows,
  reconstructions: Rows,
  options: CorrelationOptions = {},
): Promise<CorrelationMatrix> {
  const [m, d] = rowExtents(truth, 'truth');
  const [n, dOther] = rowExtents(reconstructions, 'reconstructions');
  if (d !== dOther) {
    throw new F2iError('INVALID_ARGUMENT', 'true and reconstructed pictures differ in size', {
      field: 'reconstructions',
      expected: `${d} values`,
      found: `${dOther}`,
    });
  }
  const breathe = pacer(options.signal, 'scoring');
  const a = await standardiser(truth, 'truth', breathe);
  const b = await standardiser(reconstructions, 'reconstructions', breathe);
  const { backend } = options;
  const values =
    backend && m * n * d > DEVICE_WORK
      ? await onDevice(backend, a, b, options.signal)
      : await inJavaScript(a, b, breathe);
  // Rounding may leave the interval by a unit in the last place.
  for (let i = 0; i < values.length; i++) values[i] = Math.max(-1, Math.min(1, values[i]!));
  return { values, truths: m, reconstructions: n };
}

interface Standardiser {
  readonly rows: number;
  readonly length: number;
  /** Value j of a row, centred and divided by the norm of its centred row; 0 in a row without variance. */
  at(row: number, j: number): number;
}

async function standardiser(
  { data, shape }: Rows,
  field: string,
  breathe: () => Promise<void> | undefined,
): Promise<Standardiser> {
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
      throw new F2iError('INVALID_ARGUMENT', 'pictures hold NaN or infinity', { field, found: `row ${row}` });
    }
    const mean = sum / length;
    let squares = 0;
    for (let j = 0; j < length; j++) squares += (values[j]! - mean) ** 2;
    means[row] = mean;
    scales[row] = constant || squares === 0 ? 0 : 1 / Math.sqrt(squares);
    await breathe();
  }
  return { rows, length, at: (row, j) => (data[row * length + j]! - means[row]!) * scales[row]! };
}

async function inJavaScript(
  a: Standardiser,
  b: Standardiser,
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
  a: Standardiser,
  b: Standardiser,
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const dtype = hasFloat64(backend) ? 'f64' : 'f32';
  const width = Math.max(1, Math.floor(BLOCK_VALUES / Math.max(a.rows, b.rows)));
  const breathe = pacer(signal, 'scoring');
  const block = async (side: Standardiser, from: number, to: number) => {
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
