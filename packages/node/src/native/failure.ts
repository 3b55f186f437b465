import { type ErrorCode, F2iError, formatPlace } from '@fmri2image/core';
import type { Enqueued } from './places.ts';

/** Statuses of `f2i.h` by number. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  1: 'INVALID_ARGUMENT',
  2: 'UNSUPPORTED',
  3: 'OUT_OF_MEMORY',
  4: 'IO',
  5: 'CANCELLED',
  6: 'NOT_POSITIVE_DEFINITE',
  7: 'NO_CONVERGENCE',
  9: 'ABI_MISMATCH',
  10: 'DEVICE_LOST',
};

/** What the native side throws and rejects with. */
interface NativeError extends Error {
  readonly status: number;
  readonly op?: string;
  readonly tag?: number;
}

export function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && typeof (error as Partial<NativeError>).status === 'number';
}

/**
 * The public form of a native error; anything else is passed on as it is.
 *
 * @param origin what was enqueued under the tag of the failed op, if it is still known
 */
export function translate(error: unknown, backend: string, origin?: Enqueued | undefined): unknown {
  if (!isNativeError(error)) return error;
  const op = origin?.op ?? error.op;
  // A refused call names the op itself; so does the public error.
  const message =
    op && error.message.startsWith(`${op}: `) ? error.message.slice(op.length + 2) : error.message;
  return new F2iError(CODES[error.status] ?? 'INTERNAL', message, {
    op,
    backend,
    place: origin && formatPlace(origin.place),
    cause: origin?.signal?.aborted ? origin.signal.reason : undefined,
  });
}
