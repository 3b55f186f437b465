import type { Backend } from '../../../backend.ts';
import { HostPool } from './hostPool.ts';
import { type CountedOps, countedOps, Tally } from './tally.ts';
import type { StreamedPhase, StreamedRidgeOptions } from './types.ts';

/** What every step of a streamed ridge needs. */
export interface Context {
  readonly backend: Backend;
  readonly intercept: boolean;
  readonly signal: AbortSignal | undefined;
  readonly tally: Tally;
  readonly ops: CountedOps;
  readonly options: { readonly signal: AbortSignal | undefined };
  /** What voxels and targets pass through on their way to the device. */
  readonly host: HostPool;
  report(phase: StreamedPhase, done: number, total: number): void;
}

export function contextOf({ backend, intercept, signal, onProgress }: StreamedRidgeOptions): Context {
  const tally = new Tally();
  const options = { signal };
  return {
    backend,
    intercept,
    signal,
    tally,
    ops: countedOps(tally, options),
    options,
    host: new HostPool(backend, options),
    report(phase, done, total) {
      onProgress?.({ phase, done, total, flops: tally.flops, fileSeconds: tally.fileSeconds });
    },
  };
}
