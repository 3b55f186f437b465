import type { Tensor } from '../tensor.ts';
import { fail, matrix, type OpOptions, type OpSpec, runOp } from './op.ts';

export interface GatherAttributes {
  readonly [name: string]: Int32Array | undefined;
  readonly rows: Int32Array | undefined;
  readonly cols: Int32Array | undefined;
}

export const gatherSpec: OpSpec<GatherAttributes> = {
  name: 'gather',
  family: 'exact',
  infer([x], { rows, cols }) {
    const [n, v] = matrix('gather', 'x', x);
    checkIndices('rows', rows, n);
    checkIndices('cols', cols, v);
    return [{ shape: [rows?.length ?? n, cols?.length ?? v], dtype: x!.dtype }];
  },
  flops() {
    return 0;
  },
};

function checkIndices(name: string, indices: Int32Array | undefined, extent: number): void {
  const bad = indices?.find((index) => index < 0 || index >= extent);
  if (bad !== undefined)
    throw fail('gather', `${name} has an index out of range`, `0 to ${extent - 1}`, `${bad}`);
}

export interface GatherOptions extends OpOptions {
  /** Rows to take, in this order; all when absent. */
  rows?: Int32Array | readonly number[] | undefined;
  cols?: Int32Array | readonly number[] | undefined;
}

/**
 * Submatrix `x[rows, cols]`, copied: the trials of a fold, the voxels of an ROI.
 *
 * @param x [n, v], any dtype
 * @returns [rows.length, cols.length]
 */
export function gather(x: Tensor, options: GatherOptions): Tensor {
  const attributes = { rows: toIndices(options.rows), cols: toIndices(options.cols) };
  return runOp(gatherSpec, [x], attributes, options)[0]!;
}

/** A private copy: the caller may reuse its list while the op is queued. */
function toIndices(list: Int32Array | readonly number[] | undefined): Int32Array | undefined {
  return list && Int32Array.from(list);
}
