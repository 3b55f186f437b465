import { F2iError } from '../../error.ts';
import type { Place } from '../ndarray.ts';

/** Throws INVALID_ARGUMENT for a range [start, end) that does not lie in an axis. */
export function checkSlice(start: number, end: number, extent: number, what: string, place: Place): void {
  if (Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= extent) return;
  throw new F2iError('INVALID_ARGUMENT', `${what} out of bounds`, {
    ...place,
    expected: `0 <= start <= end <= ${extent}`,
    found: `[${start}, ${end})`,
  });
}
