/**
 * What went wrong. Codes mirror the statuses of the native core (`f2i.h`), plus those that only exist on this
 * side: `FORMAT` (a file is not what it claims to be), `WORKER_LOST`, `DISPOSED` and `USAGE`.
 */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'UNSUPPORTED'
  | 'OUT_OF_MEMORY'
  | 'IO'
  | 'FORMAT'
  | 'CANCELLED'
  | 'NOT_POSITIVE_DEFINITE'
  | 'NO_CONVERGENCE'
  | 'ABI_MISMATCH'
  | 'DEVICE_LOST'
  | 'WORKER_LOST'
  | 'DISPOSED'
  | 'USAGE'
  | 'INTERNAL';

export interface ErrorDetails {
  /** Op in which it happened, e.g. `cholesky_factor`. */
  op?: string | undefined;
  backend?: string | undefined;
  /** File name as the user gave it. */
  file?: string | undefined;
  /** Field, header entry, array name or manifest path inside the file. */
  field?: string | undefined;
  expected?: string | undefined;
  found?: string | undefined;
  /** Where the failed op was enqueued (a stack excerpt), for errors that surface at a later wait. */
  place?: string | undefined;
  cause?: unknown;
}

/** Every error that fmri2image throws on purpose. */
export class F2iError extends Error {
  readonly code: ErrorCode;
  readonly op?: string | undefined;
  readonly backend?: string | undefined;
  readonly file?: string | undefined;
  readonly field?: string | undefined;
  readonly expected?: string | undefined;
  readonly found?: string | undefined;
  readonly place?: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(compose(message, details), details.cause === undefined ? undefined : { cause: details.cause });
    // Callers of the platform's APIs recognise a cancellation by this name.
    this.name = code === 'CANCELLED' ? 'AbortError' : 'F2iError';
    this.code = code;
    this.op = details.op;
    this.backend = details.backend;
    this.file = details.file;
    this.field = details.field;
    this.expected = details.expected;
    this.found = details.found;
    this.place = details.place;
  }
}

function compose(message: string, d: ErrorDetails): string {
  const where = [d.file, d.field, d.op].filter((part) => part !== undefined).join(': ');
  let text = where ? `${where}: ${message}` : message;
  if (d.expected !== undefined) text += `; expected ${d.expected}`;
  if (d.found !== undefined) text += `${d.expected !== undefined ? ',' : ';'} found ${d.found}`;
  if (d.place !== undefined) text += `\n  enqueued ${d.place}`;
  return text;
}

/** Throws CANCELLED if the signal has been aborted. */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw new F2iError('CANCELLED', `${what} was cancelled`, { cause: signal.reason });
}
