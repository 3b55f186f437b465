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
}

/**
 * The GPUs that CUDA can use here, by their index; `library` as in `CudaOptions`.
 *
 * @throws F2iError UNSUPPORTED if there is none: what is missing (the library, a driver, a GPU, one that is new enough), and
 *   what to do about it
 */
export function listGpus(library?: string | undefined): Gpu[] {
  const path = findCudaLibrary(library);
  const first = describeGpu(0, path);
  return [first, ...Array.from({ length: first.count - 1 }, (_, i) => describeGpu(i + 1, path))];
}

/** @throws F2iError UNSUPPORTED if it cannot be used: what is missing, and what to do about it */
export function describeGpu(index: number, library: string): Gpu {
  const addon = loadAddon();
  try {
    const { name, count, capability, memoryBytes } = addon.describeDevice(
      DEVICES.indexOf('cuda'),
      index,
      library,
    );
    return { index, name, count, capability: (capability / 10).toFixed(1), memoryBytes };
  } catch (cause) {
    const error = translate(cause, 'cuda');
    if (!(error instanceof F2iError)) throw error;
    // Without the name of the C call.
    const message = error.message.replace(/^device_describe: (device: )?/, '');
    throw new F2iError(error.code, message, { backend: 'cuda', cause });
  }
}
