import { checkOptions, checkOptionValues, F2iError, MEMORY_LIMIT, type OptionChecks } from '@fmri2image/core';
import type { BackendOptions } from './backend.ts';
import type { KernelLimits } from './limits.ts';

const DEVICES = ['auto', 'webgpu', 'reference', 'cpu', 'cuda'];

const positive = {
  expected: 'a positive integer',
  holds: (limit: number) => Number.isSafeInteger(limit) && limit > 0,
};
const LIMITS: OptionChecks<KernelLimits> = {
  maxBindingBytes: positive,
  maxBufferBytes: positive,
  maxWorkgroups: positive,
  maxDispatchFlops: positive,
  avoidBarriers: { expected: 'true or false', holds: (avoid: unknown) => typeof avoid === 'boolean' },
};

/** What each option of a backend may be. Objects of WebGPU are known by what they can do: Dawn has its own classes. */
const CHECKS: OptionChecks<BackendOptions> = {
  device: {
    message: 'not a device',
    expected: 'auto, webgpu, reference or a GPUDevice',
    holds: (device: unknown) => DEVICES.includes(device as string) || can(device, 'createBuffer'),
  },
  gpu: {
    expected: 'a GPU: navigator.gpu, or what create([]) of the package webgpu gives',
    holds: (gpu: unknown) => can(gpu, 'requestAdapter'),
  },
  powerPreference: {
    expected: 'low-power or high-performance',
    holds: (preference: unknown) => preference === 'low-power' || preference === 'high-performance',
  },
  memoryLimit: MEMORY_LIMIT,
  limits: {
    expected: 'lower limits than the device\u2019s, by name',
    holds: (limits: unknown) => typeof limits === 'object' && limits !== null,
  },
};

/** The options that a backend can be opened with. */
export const BACKEND_OPTIONS = Object.keys(CHECKS) as readonly (keyof BackendOptions)[];

/**
 * Refuses what is a mistake whatever device is there: names of no option, values that none takes.
 *
 * @throws F2iError INVALID_ARGUMENT, naming the option, what was expected and what was found
 */
export function checkBackendOptions(options: BackendOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw new F2iError('INVALID_ARGUMENT', 'options of a backend are an object', {
      field: 'options',
      expected: "such as { device: 'webgpu' }",
      found: String(options),
    });
  }
  checkOptions(options, BACKEND_OPTIONS);
  checkOptionValues(options, CHECKS);
  checkOptions(options.limits ?? {}, Object.keys(LIMITS));
  checkOptionValues(options.limits ?? {}, LIMITS);
}

const can = (value: unknown, method: string) =>
  typeof (value as Record<string, unknown> | null)?.[method] === 'function';
