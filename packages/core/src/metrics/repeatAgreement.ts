import { type CorrelationOptions, correlationMatrix } from './correlationMatrix.ts';
import type { ComparedRows } from './rowValues.ts';

export interface RepeatAgreement {
  /** Mean correlation between reconstructions of different presentations of the same stimulus. */
  readonly same: number;
  /** Mean correlation between reconstructions of different stimuli. */
  readonly different: number;
  /** Pairs of presentations of the same stimulus. */
  readonly pairs: number;
}

/**
 * How much reconstructions of the same picture from different responses agree, beside those of different pictures.
 * Without looking at the true pictures it says how much of a reconstruction comes from this trial's response: noise
 * does not repeat, and what all reconstructions share agrees across pictures, too.
 *
 * @param reconstructions [n, ...]
 * @param stimuli identity of the stimulus of each
 * @returns undefined where no stimulus repeats, or all trials show the same
 */
export async function repeatAgreement(
  reconstructions: ComparedRows,
  stimuli: ArrayLike<number | string>,
  options: CorrelationOptions = {},
): Promise<RepeatAgreement | undefined> {
  const { values, truths: n } = await correlationMatrix(reconstructions, reconstructions, options);
  const sums = { same: 0, different: 0 };
  const counts = { same: 0, different: 0 };
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const kind = stimuli[i] === stimuli[j] ? 'same' : 'different';
      sums[kind] += values[i * n + j]!;
      counts[kind]++;
    }
  }
  if (counts.same === 0 || counts.different === 0) return undefined;
  return {
    same: sums.same / counts.same,
    different: sums.different / counts.different,
    pairs: counts.same,
  };
}
