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
export function chosenTrials(trials: ArrayLike<number> | undefined, rows: number): number[] {
  const chosen = trials ? Array.from(trials) : Array.from({ length: rows }, (_, i) => i);
  const bad = chosen.find((trial) => !(Number.isInteger(trial) && trial >= 0 && trial < rows));
  if (bad !== undefined) {
    throw new F2iError('INVALID_ARGUMENT', 'no such trial', {
      field: 'trials',
      expected: `rows 0 to ${rows - 1}`,
      found: `${bad}`,
    });
  }
  return chosen;
}
