import {
  type Backend,
  type DeviceName,
  F2iError,
  ReferenceBackend,
  type RejectedDevice,
} from '@fmri2image/core';
import { findWrongProduct } from './check.ts';
import { CpuBackend, type CpuOptions } from './cpu.ts';
import { CudaBackend, type CudaOptions } from './cuda.ts';
import { findCudaLibrary } from './native/cudaLibrary.ts';
import { surveyGpus } from './native/gpu.ts';
import { checkBackendOptions } from './options.ts';

export interface BackendOptions extends Omit<CpuOptions & CudaOptions, 'rejected'> {
  /**
   * `auto` (the default) takes the fastest device that works here; it never falls to the slow `reference`, and with an `index`
   * or a `library` not to the CPU either. Options of the devices that are not taken have no effect.
   */
  device?: DeviceName | 'auto' | undefined;
}

/**
 * Opens a device. `backend.info.rejected` says which ones `auto` passed over, and why: a GPU also where two small products on it,
 * which it computes once a process, are wrong.
 *
 * @example using CPU threads of your choice: await createBackend({ device: 'cpu', threads: 4 })
 * @example the second GPU, and at most 40 GB of it: await createBackend({ device: 'cuda', index: 1, memoryLimit: 40e9 })
 * @throws F2iError UNSUPPORTED if the device (or, with `auto`, every device) is not available; INVALID_ARGUMENT, before any is
 *   tried, for an option that there is not, a value that it does not take, and a GPU (`index`, `library`) for another device
 */
export async function createBackend(options: BackendOptions = {}): Promise<Backend> {
  checkBackendOptions(options);
  const { device = 'auto', ...rest } = options;
  if (device !== 'auto') return open(device, rest);

  const rejected: RejectedDevice[] = [];
  const gpu = await firstGpu(rest, rejected);
  if (gpu) return gpu;
  try {
    return open('cpu', { ...rest, rejected });
  } catch (error) {
    rejected.push({ device: 'cpu', reason: reasonOf(error) });
  }
  const reasons = rejected.map(({ device, reason }) => `\n  ${device}: ${reason}`).join('');
  throw new F2iError(
    'UNSUPPORTED',
    `no device works here, and the slow reference is never chosen by itself (device: 'reference')${reasons}`,
  );
}

/**
 * The first GPU that can be used and computes what it should; undefined, and why in `rejected`, where there is none.
 *
 * @throws F2iError where a GPU is named that cannot be used: who names one wants that one
 */
async function firstGpu(
  options: CpuOptions & CudaOptions,
  rejected: RejectedDevice[],
): Promise<Backend | undefined> {
  const { index: wanted, library } = options;
  const isNamed = wanted !== undefined || library !== undefined;
  const pass = (error: unknown, which = '') => {
    const reason = reasonOf(error);
    if (isNamed) throw error;
    rejected.push({ device: 'cuda', reason: which + reason });
  };
  let indices = [wanted!];
  let several = false;
  if (wanted === undefined) {
    try {
      const { usable, refused } = surveyGpus(library);
      several = usable.length + refused.length > 1;
      indices = usable.map(({ index }) => index);
      if (isNamed && indices.length === 0) throw refused[0]!.reason;
      if (!isNamed) for (const { index, reason } of refused) pass(reason, several ? `GPU ${index}: ` : '');
    } catch (error) {
      pass(error);
      return undefined;
    }
  }
  for (const index of indices) {
    try {
      const wrong = await wrongProductOf(index, library);
      if (wrong !== undefined) throw new F2iError('UNSUPPORTED', wrong, { backend: 'cuda' });
      return open('cuda', { ...options, index, rejected });
    } catch (error) {
      pass(error, several ? `GPU ${index}: ` : '');
    }
  }
  return undefined;
}

/** What has been found out about GPUs in this process, by library and index. */
const checked = new Map<string, Promise<string | undefined>>();

/** What a GPU computes wrongly, by products on a context of their own: ceilings of others do not matter. */
function wrongProductOf(index: number, library: string | undefined): Promise<string | undefined> {
  // The variable chooses kernels (docs/cuda.md).
  const key = `${findCudaLibrary(library)} ${index} ${process.env.F2I_CUDA_HOPPER}`;
  const known = checked.get(key);
  if (known) return known;
  const found = check();
  checked.set(key, found);
  found.catch(() => checked.delete(key)); // what could not be found out may be, another time
  return found;

  async function check(): Promise<string | undefined> {
    const backend = new CudaBackend({ index, library });
    try {
      return await findWrongProduct(backend);
    } finally {
      await backend.dispose();
    }
  }
}

/** What an error says; one that is a mistake of the caller's, or none of ours, is thrown on. */
function reasonOf(error: unknown): string {
  if (!(error instanceof F2iError) || error.code === 'INVALID_ARGUMENT') throw error;
  return error.message;
}

/** @param options that have been checked */
function open(device: DeviceName, options: CpuOptions & CudaOptions): Backend {
  switch (device) {
    case 'cpu':
      return new CpuBackend(options);
    case 'cuda':
      return new CudaBackend(options);
    case 'reference':
      return new ReferenceBackend(options.memoryLimit ? { memoryLimit: options.memoryLimit } : {});
    case 'webgpu':
      throw new F2iError('UNSUPPORTED', 'WebGPU is the device of @fmri2image/web');
  }
}
