import { expect } from 'vitest';
import { F2iError } from '../../../src/index.ts';

/** The F2iError that a promise rejects with; fails on any other outcome. */
export async function errorOf(promise: Promise<unknown>): Promise<F2iError> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!('error' in outcome)) throw new Error(`expected an error, got ${String(outcome.value)}`);
  if (!(outcome.error instanceof F2iError)) throw outcome.error;
  expect(outcome.error.message).not.toContain('undefined');
  return outcome.error;
}
