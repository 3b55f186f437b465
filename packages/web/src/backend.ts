import { type Backend, type DeviceName, F2iError, ReferenceBackend } from '@fmri2image/core';
import { whyUnavailable } from './device.ts';
import { checkBackendOptions } from './options.ts';
import { createWebBackend, type WebBackendOptions } from './webgpu.ts';

export interface BackendOptions extends Omit<WebBackendOptions, 'device'> {
  /**
   * `webgpu`, a GPUDevice of the application, or `reference`: plain loops in JavaScript, for small bundles where
   * there is no GPU, and only when asked for by name.
   */
  device?: DeviceName | 'auto' | GPUDevice | undefined;
}

/**
 * Opens a device. `auto` (the default) takes WebGPU, and never falls to the slow reference by itself. Where the
 * reference is asked for because there is no WebGPU, `backend.info.rejected` says why there is none.
 *
 * @throws F2iError UNSUPPORTED, with what is missing, if the device is not available; INVALID_ARGUMENT, before one is
 *   tried, for an option that there is not, or a value that it does not take
 * @example const backend = await createBackend();
 */
export async function createBackend(options: BackendOptions = {}): Promise<Backend> {
  checkBackendOptions(options);
  const { device = 'auto', ...rest } = options;
  if (typeof device === 'object') return createWebBackend({ ...rest, device });
  switch (device) {
    case 'webgpu':
      return createWebBackend(rest);
    case 'auto':
      return createWebBackend(rest).catch((error: unknown) => {
        if (!(error instanceof F2iError) || error.code !== 'UNSUPPORTED') throw error;
        throw new F2iError(
          'UNSUPPORTED',
          `no device works here, and the slow reference is never chosen by itself (device: 'reference')\n  webgpu: ${error.message}`,
          { cause: error },
        );
      });
    case 'reference':
      return createReference(rest);
    case 'cpu':
    case 'cuda':
      throw new F2iError('UNSUPPORTED', `${device} is a device of @fmri2image/node`);
  }
}

async function createReference({
  memoryLimit,
  ...rest
}: Omit<WebBackendOptions, 'device'>): Promise<Backend> {
  const reason = await whyUnavailable(rest);
  return new ReferenceBackend({
    ...(memoryLimit && { memoryLimit }),
    rejected: reason === undefined ? [] : [{ device: 'webgpu', reason }],
  });
}
