import { type ErrorCode, F2iError } from '../error.ts';

/** An error as a message: classes do not survive the way between threads. */
export interface ErrorMessage {
  readonly code: ErrorCode;
  /** The whole text, with file, expected and found in it. */
  readonly message: string;
  readonly stack: string | undefined;
  readonly details: Readonly<Record<string, string>>;
}

const DETAILS = ['op', 'backend', 'file', 'field', 'expected', 'found', 'place'] as const;

export function errorToMessage(error: unknown): ErrorMessage {
  if (!(error instanceof F2iError)) {
    const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
    return { code: 'INTERNAL', message, stack, details: {} };
  }
  const { code, message, stack } = error;
  const known = DETAILS.filter((key) => error[key] !== undefined);
  return { code, message, stack, details: Object.fromEntries(known.map((key) => [key, error[key]!])) };
}

/** The same code, name, text and details; the stack is that of the worker. */
export function errorFromMessage({ code, message, stack, details }: ErrorMessage): F2iError {
  const error = new F2iError(code, '', details);
  error.message = message;
  if (stack !== undefined) error.stack = stack;
  return error;
}
