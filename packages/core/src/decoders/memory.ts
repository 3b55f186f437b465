import type { Backend } from '../backend.ts';
import { bytesInWords } from '../bytesInWords.ts';
import { F2iError } from '../error.ts';

/** What a model takes on a device, in bytes. */
export interface MemoryNeeded {
  /** Its numbers, in the types that they have there. */
  readonly weights: number;
  /** The most that one batch of trials takes beside them. */
  readonly activations: number;
}

/** What there is, in bytes; absent where nobody knows. */
export interface MemoryThere {
  /** What this machine can give to the process. */
  readonly available?: number | undefined;
  /** Ceiling that was set for the backend (`memoryLimit`). */
  readonly limit?: number | undefined;
}

/**
 * Refuses a model that would not fit, before any of it is loaded. What counts is what `estimateMindEye2` and `inspect` tell:
 * weights and what a batch takes beside them. Weights that a device maps from disk count as well, although its own ceiling
 * does not see them: running the model needs them in memory. On a device with memory of its own (`info.memory`), what is free
 * there counts, where it is known.
 *
 * @param file what errors name
 * @param remedy what takes less, in words
 * @throws OUT_OF_MEMORY with both numbers
 */
export function checkMemory(
  { weights, activations }: MemoryNeeded,
  { available, limit }: MemoryThere,
  backend: Backend,
  { file, remedy }: { file: string; remedy: string },
): void {
  const needed = weights + activations;
  const refuse = (field: string, there: number, whose: string) => {
    if (needed <= Math.max(0, there)) return;
    throw new F2iError('OUT_OF_MEMORY', `the model does not fit into memory; ${remedy}`, {
      file,
      field,
      expected: `at most ${bytesInWords(Math.max(0, there))}, ${whose}`,
      found: `${bytesInWords(needed)} (${bytesInWords(weights)} of weights, at most ${bytesInWords(activations)} beside them)`,
    });
  };
  if (limit) refuse('memoryLimit', limit, 'the limit that was set (memoryLimit, --memory)');
  const onHost = backend.name === 'cpu' || backend.name === 'reference';
  if (available !== undefined && onHost) refuse('available memory', available, 'what this machine has left');
  const { memory: { free } = {}, description } = backend.info;
  // What this backend holds came out of what was free when it was opened.
  if (free !== undefined)
    refuse('memory of the device', free - backend.stats().liveBytes, `what is free on ${description}`);
}
