/** Assertions that need no test framework: they throw with what was wanted and what was found. */
import { F2iError } from '../src/error.ts';

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

export function assertEqual(found: ArrayLike<number>, wanted: ArrayLike<number>, what: string): void {
  const same =
    found.length === wanted.length && Array.from(wanted).every((value, i) => Object.is(value, found[i]));
  assert(same, `${what}: found [${excerpt(found)}] instead of [${excerpt(wanted)}]`);
}

function excerpt(list: ArrayLike<number>): string {
  const shown = Array.from(list).slice(0, 8).join(', ');
  return list.length > 8 ? `${shown}, ... (${list.length} values)` : shown;
}

export function mustThrow(body: () => unknown, code: string, message: RegExp): void {
  try {
    body();
  } catch (error) {
    assertError(error, code, message);
    return;
  }
  throw new Error(`should have thrown ${code}`);
}

export function assertError(error: unknown, code: string, message: RegExp): asserts error is F2iError {
  if (!(error instanceof F2iError)) throw new Error(`threw ${messageOf(error)}, which is no F2iError`);
  if (error.code !== code) throw new Error(`threw ${error.code} instead of ${code}: ${error.message}`);
  if (!message.test(error.message)) throw new Error(`the message lacks ${message}: ${error.message}`);
}

/** The error with which a promise must reject. */
export async function mustReject(
  promise: Promise<unknown>,
  code: string,
  message: RegExp,
): Promise<F2iError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason ?? new Error('rejected with nothing'),
  );
  if (error === undefined) throw new Error(`should have rejected with ${code}`);
  assertError(error, code, message);
  return error;
}
