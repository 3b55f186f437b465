import { F2iError } from './error.ts';

/**
 * Values on the host, one row a trial (or a volume, a frame): voxels [n, v], pictures [n, h, w], features [n, ...].
 * Arrays read from files (`NdArray`) in f32 or f64 are such.
 */
export interface Rows {
  readonly data: Float32Array | Float64Array;
  /** The first extent counts the rows. */
  readonly shape: readonly number[];
}

/**
 * Betas as the API takes them, checked at its door: plain JavaScript has no types.
 *
 * @throws INVALID_ARGUMENT naming `betas`, for what are no rows
 */
export function checkBetas(betas: Rows): void {
  const { data, shape } = (betas ?? {}) as Partial<Rows>;
  const numbers = data instanceof Float32Array || data instanceof Float64Array;
  if (numbers && Array.isArray(shape)) {
    rowExtents(betas, 'betas');
    return;
  }
  throw new F2iError('INVALID_ARGUMENT', 'not responses', {
    field: 'betas',
    expected: '{ data: Float32Array, shape: [trials, voxels] }',
    found:
      shape === undefined || betas === null
        ? kindOf(betas)
        : `{ data: ${kindOf(data)}, shape: ${kindOf(shape)} }`,
  });
}

/** `Float32Array`, `Array`, `undefined`, `string`. */
function kindOf(value: unknown): string {
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value;
  return (value as object).constructor?.name ?? 'object';
}

/** Number of rows and values in each; INVALID_ARGUMENT, naming `field`, where shape and data disagree. */
export function rowExtents({ data, shape }: Rows, field: string): [rows: number, length: number] {
  const [rows = 0, ...rest] = shape;
  const length = rest.reduce((product, extent) => product * extent, 1);
  const whole = shape.every((extent) => Number.isInteger(extent) && extent > 0);
  if (shape.length < 2 || !whole || rows * length !== data.length) {
    throw new F2iError('INVALID_ARGUMENT', 'shape and data disagree', {
      field,
      expected: `[rows, ...] with ${data.length} values`,
      found: `[${shape.join(', ')}]`,
    });
  }
  return [rows, length];
}
