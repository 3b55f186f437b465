import { F2iError } from '../error.ts';

/** How long a worker may say nothing at all, in milliseconds: it may still be fetching and reading its script. */
const ANSWER_LIMIT = 30_000;

/** The longest pause between two questions. */
const PAUSE = 1000;

/** What is known of the worker at the other end. */
export interface Listener {
  /** It serves decoders, and its end will be noticed as far as it ever is: nobody needs to ask any more. */
  readonly watched: boolean;
  /** How often it has shown that it lives: its thread began to run, where that is told, or it said something. */
  readonly signs: number;
  /** Asks for a sign of life. */
  greet(): void;
}

/**
 * Asks a worker again and again until its end would be noticed; calls `silent` when it has given no sign of life for
 * `limit` milliseconds. A worker whose script does not serve decoders never will, nor one that has gone so early, and
 * nothing else would tell.
 *
 * Time is counted in pauses of this thread's own timer, since the last sign: a thread that was held up, here or there,
 * is not taken for silence.
 *
 * @returns ends it
 */
export function expectAnswer(worker: Listener, limit: number, silent: () => void): () => void {
  const pause = Math.min(PAUSE, limit / 4);
  let { signs } = worker;
  let waited = 0;
  const ask = () => {
    if (worker.watched) return;
    if (worker.signs !== signs) {
      signs = worker.signs;
      waited = 0;
    }
    if (waited >= limit) return silent();
    worker.greet();
    waited += pause;
    timer = setTimeout(ask, pause);
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  ask();
  return () => clearTimeout(timer);
}

/** @throws INVALID_ARGUMENT for a limit that is none */
export function answerLimit(milliseconds: number | undefined): number {
  if (milliseconds === undefined) return ANSWER_LIMIT;
  if (typeof milliseconds === 'number' && milliseconds > 0) return milliseconds;
  throw new F2iError('INVALID_ARGUMENT', 'not a time to wait', {
    field: 'workerTimeout',
    expected: 'milliseconds, more than 0',
    found: String(milliseconds),
  });
}

/**
 * @param heard whether the worker has ever answered
 * @param entry the module that serves decoders, for the package that asks
 */
export function noAnswer(heard: boolean, entry: string): F2iError {
  const why = heard
    ? 'the worker was lost: it no longer answers'
    : `the worker does not answer: does it import '${entry}'?`;
  return new F2iError('WORKER_LOST', why);
}
