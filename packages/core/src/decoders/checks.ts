import { F2iError } from '../error.ts';
import { type Rows, rowExtents } from '../rows.ts';

/** Extents of betas that a decoder of so many `voxels` can read; throws INVALID_ARGUMENT otherwise. */
export function betaExtents(betas: Rows, voxels: number): readonly [rows: number, voxels: number] {
  const extents = rowExtents(betas, 'betas');
  if (extents[1] !== voxels) {
    throw new F2iError('INVALID_ARGUMENT', 'the decoder was fitted on another number of voxels', {
      field: 'betas',
      expected: `${voxels}`,
      found: `${extents[1]}`,
    });
  }
  return extents;
}

/** Rows to reconstruct, all of `rows` when none are named; throws INVALID_ARGUMENT for one that is not there. */
export function chosenTrials(
  trials: ArrayLike<number> | undefined,
  rows: number,
  field = 'trials',
): number[] {
  const chosen = trials ? Array.from(trials) : Array.from({ length: rows }, (_, i) => i);
  const bad = chosen.find((trial) => !(Number.isInteger(trial) && trial >= 0 && trial < rows));
  if (bad !== undefined) {
    throw new F2iError('INVALID_ARGUMENT', 'no such trial', {
      field,
      expected: `rows 0 to ${rows - 1}`,
      found: `${bad}`,
    });
  }
  return chosen;
}

/** Throws INVALID_ARGUMENT, naming the trial, for responses that are not finite. */
export function checkFiniteBetas(data: ArrayLike<number>, trials: readonly number[], width: number): void {
  for (let i = 0; i < data.length; i++) {
    if (Number.isFinite(data[i])) continue;
    throw new F2iError('INVALID_ARGUMENT', 'the betas hold NaN or infinity', {
      field: 'betas',
      expected: 'finite responses',
      found: `${data[i]} in trial ${trials[Math.floor(i / width)]}`,
    });
  }
}
