import { F2iError } from '@fmri2image/core';
import { DEVICES } from './addon.ts';
import { findCudaLibrary } from './cudaLibrary.ts';
import { translate } from './failure.ts';
import { loadAddon } from './load.ts';

export interface Gpu {
  /** From 0, as the option `index` has it. */
  readonly index: number;
  readonly name: string;
  /** How many there are. */
  readonly count: number;
  /** CUDA's compute capability: "9.0". */
  readonly capability: string;
  readonly memoryBytes: number;
  /** Of its memory, what no process uses now; absent where CUDA does not say. */
  readonly freeBytes?: number;
}

/**
 * The GPUs that CUDA can use here, by their index; one that is too old hides no other. `library` as in `CudaOptions`.
 *
 * @throws F2iError UNSUPPORTED if there is none: what is missing (the library, a driver, a GPU, one that is new enough), and
 *   what to do about it
 */
export function listGpus(library?: string | undefined): Gpu[] {
  const { usable, refused } = surveyGpus(library);
  if (usable.length === 0) throw refused[0]!.reason;
  return usable;
}

/** Those that can be used and those that cannot, and why; where not even their number is known, the reason is that of the first. */
export function surveyGpus(library?: string | undefined): {
  usable: Gpu[];
  refused: { index: number; reason: F2iError }[];
} {
  const path = findCudaLibrary(library);
  const count = Math.max(1, loadAddon().countDevices(DEVICES.indexOf('cuda'), path));
  const usable: Gpu[] = [];
  const refused: { index: number; reason: F2iError }[] = [];
  for (let index = 0; index < count; index++) {
    try {
      usable.push(describeGpu(index, path));
    } catch (error) {
      if (!(error instanceof F2iError)) throw error;
      refused.push({ index, reason: error });
    }
  }
  return { usable, refused };
}

/** @throws F2iError UNSUPPORTED if it cannot be used: what is missing, and what to do about it */
export function describeGpu(index: number, library: string): Gpu {
  const addon = loadAddon();
  try {
    const { name, count, capability, memoryBytes, freeBytes } = addon.describeDevice(
      DEVICES.indexOf('cuda'),
      index,
      library,
    );
    return {
      index,
      name,
      count,
      capability: (capability / 10).toFixed(1),
      memoryBytes,
      ...(freeBytes > 0 && { freeBytes }),
    };
  } catch (cause) {
    const error = translate(cause, 'cuda');
    if (!(error instanceof F2iError)) throw error;
    // Without the name of the C call.
    const message = error.message.replace(/^device_describe: (device: )?/, '');
    throw new F2iError(error.code, message, { backend: 'cuda', cause });
  }
}
