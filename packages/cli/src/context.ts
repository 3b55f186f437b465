import { type Backend, F2iError } from '@fmri2image/core';
import { createBackend } from '@fmri2image/node';
import { type Console, createConsole } from './console.ts';
import { backendOptions, type DeviceOptions } from './options.ts';

/** What a command works with. */
export interface Context {
  readonly backend: Backend;
  readonly console: Console;
  readonly signal: AbortSignal;
}

/** Opens the device, runs the command, closes the device whatever happened. SIGINT and SIGTERM abort the signal. */
export async function withContext<T>(
  options: DeviceOptions,
  body: (context: Context) => Promise<T>,
): Promise<T> {
  const console = createConsole(options);
  return interruptible(async (signal) => {
    const backend = await createBackend(backendOptions(options));
    if (options.device === 'reference') {
      console.warn('device reference: float64 loops in one thread, for checking; slow by design');
    }
    try {
      return await body({ backend, console, signal });
    } finally {
      await backend.dispose();
    }
  });
}

/** An interrupt that left work behind, which `message` tells of. */
export class Interrupted extends F2iError {
  constructor(message: string, cause: unknown) {
    super('CANCELLED', `interrupted; ${message}`, { cause });
  }
}

/** Aborts the body's signal on SIGINT or SIGTERM; a second SIGINT ends the process at once. */
export async function interruptible<T>(body: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let interrupts = 0;
  const stop = () => {
    if (++interrupts > 1) process.exit(130);
    controller.abort(new F2iError('CANCELLED', 'interrupted'));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    return await body(controller.signal);
  } catch (error) {
    // Whatever failed because of the interrupt: what the user did is the news.
    if (controller.signal.aborted) {
      throw error instanceof Interrupted ? error : new Interrupted('nothing was left half-written', error);
    }
    throw error;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}
