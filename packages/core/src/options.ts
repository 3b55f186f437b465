import { F2iError } from './error.ts';

/**
 * Refuses options of unknown names: a misspelt one would be left out silently.
 *
 * @throws INVALID_ARGUMENT naming the option, and those that there are
 */
export function checkOptions(options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new F2iError('INVALID_ARGUMENT', 'there is no such option', {
      field: name,
      expected: known.join(', '),
      found: name,
    });
  }
}

/** Options of `predict` and of `reconstruct`. */
export const PREDICT_OPTIONS = ['runs', 'signal'] as const;
export const RECONSTRUCT_OPTIONS = [...PREDICT_OPTIONS, 'trials', 'repeats', 'seed', 'noise'] as const;
/** Options of `loadDecoder` that mean the same everywhere. */
export const LOAD_OPTIONS = [
  'signal',
  'onProgress',
  'stage',
  'precision',
  'subject',
  'backend',
  'worker',
  'workerTimeout',
] as const;
