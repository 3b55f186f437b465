import { F2iError } from '@fmri2image/core';
import { CommanderError } from 'commander';

/** Exit codes agree with the last line that is printed. */
export const EXIT = { ok: 0, failed: 1, usage: 2, internal: 70, interrupted: 130 } as const;

/** An error that a command ends with under an exit code of its own. */
export class ExitError extends Error {
  constructor(
    readonly exitCode: number,
    override readonly cause: F2iError,
  ) {
    super(cause.message);
  }
}

/** Prints an error as a user should see it and returns the exit code. */
export function report(error: unknown, verbose: boolean): number {
  if (error instanceof ExitError) {
    report(error.cause, verbose);
    return error.exitCode;
  }
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (!(error instanceof F2iError)) {
    console.error(`fmri2image: internal error, please report it: ${stackOf(error)}`);
    return EXIT.internal;
  }
  const message = verbose ? error.message : error.message.replace(/\n {2}enqueued [\s\S]*$/, '');
  console.error(`fmri2image: ${message}`);
  if (verbose && error.cause !== undefined) console.error(`caused by: ${stackOf(error.cause)}`);
  if (error.code === 'CANCELLED') return EXIT.interrupted;
  if (error.code === 'INTERNAL') return EXIT.internal;
  return error.code === 'USAGE' ? EXIT.usage : EXIT.failed;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
