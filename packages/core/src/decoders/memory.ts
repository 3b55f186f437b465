import type { Backend } from '../backend.ts';
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
 * Refuses a model that would not fit, before any of it is loaded.
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
  const refuse = (field: string, there: number, needed: number) => {
    if (needed <= there) return;
    throw new F2iError('OUT_OF_MEMORY', `the model does not fit into memory; ${remedy}`, {
      file,
      field,
      expected: `at most ${there} bytes (${gigabytes(there)})`,
      found: `${needed} bytes needed (${gigabytes(weights)} of weights, ${gigabytes(activations)} beside them)`,
    });
  };
  // Weights that a device maps or takes over do not count against its ceiling, but must be in memory.
  if (limit) refuse('memoryLimit', limit, backend.mapFile ? activations : weights + activations);
  const onHost = backend.name === 'cpu' || backend.name === 'reference';
  if (available !== undefined && onHost) refuse('available memory', available, weights + activations);
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
