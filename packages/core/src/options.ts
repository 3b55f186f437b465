import { didYouMean } from './data/study/nearest.ts';
import { F2iError } from './error.ts';

/**
 * Refuses options of unknown names: a misspelt one would be left out silently.
 *
 * @throws INVALID_ARGUMENT naming the option, and those that there are
 */
export function checkOptions(options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new F2iError('INVALID_ARGUMENT', `there is no such option${didYouMean(name, known)}`, {
      field: name,
      expected: known.join(', '),
      found: name,
    });
  }
}

/** What an option may be. */
export interface OptionCheck {
  /** In words; of some values more can be said. */
  readonly expected: string | ((value: unknown) => string);
  readonly holds: (value: never) => boolean;
  /** What is wrong with others; `not a usable option`. */
  readonly message?: string;
}

/** Checks of every option: the type forgets none. */
export type OptionChecks<Options> = Readonly<Record<keyof Options, OptionCheck>>;

/**
 * Refuses values that options do not take; those that are undefined are left open.
 *
 * @throws INVALID_ARGUMENT naming the option, what was expected and what was found
 */
export function checkOptionValues<Options extends object>(
  options: Options,
  checks: OptionChecks<Options>,
): void {
  for (const name of Object.keys(checks) as (keyof Options & string)[]) {
    const value = options[name];
    const { expected, holds, message = 'not a usable option' } = checks[name];
    if (value === undefined || holds(value as never)) continue;
    throw new F2iError('INVALID_ARGUMENT', message, {
      field: name,
      expected: typeof expected === 'string' ? expected : expected(value),
      found: String(value),
    });
  }
}

/** Ceiling of a device's memory. */
export const MEMORY_LIMIT: OptionCheck = {
  expected: 'bytes, 0 for none',
  holds: (bytes: number) => Number.isSafeInteger(bytes) && bytes >= 0,
};

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
