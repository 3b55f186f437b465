import {
  type Backend,
  type DeviceName,
  F2iError,
  ReferenceBackend,
  type RejectedDevice,
} from '@fmri2image/core';
import { CpuBackend, type CpuOptions } from './cpu.ts';
import { CudaBackend, type CudaOptions } from './cuda.ts';
import { checkBackendOptions } from './options.ts';

export interface BackendOptions extends Omit<CpuOptions & CudaOptions, 'rejected'> {
  /**
   * `auto` (the default) takes the fastest device that works here; it never falls to the slow `reference`, and with an `index`
   * or a `library` not to the CPU either. Options of the devices that are not taken have no effect.
   */
  device?: DeviceName | 'auto' | undefined;
}

/** Devices that `auto` tries, fastest first. */
const PREFERENCE: readonly DeviceName[] = ['cuda', 'cpu'];

/**
 * Opens a device. `backend.info.rejected` says which ones `auto` passed over, and why.
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

  // Who names a GPU wants that one.
  const named = rest.index !== undefined || rest.library !== undefined;
  const rejected: RejectedDevice[] = [];
  for (const candidate of PREFERENCE) {
    try {
      return open(candidate, { ...rest, rejected });
    } catch (error) {
      if (!(error instanceof F2iError) || error.code === 'INVALID_ARGUMENT') throw error;
      if (candidate === 'cuda' && named) throw error;
      rejected.push({ device: candidate, reason: error.message });
    }
  }
  const reasons = rejected.map(({ device, reason }) => `\n  ${device}: ${reason}`).join('');
  throw new F2iError(
    'UNSUPPORTED',
    `no device works here, and the slow reference is never chosen by itself (device: 'reference')${reasons}`,
  );
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
