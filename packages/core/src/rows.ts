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
