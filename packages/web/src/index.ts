export { createWebBackend, type WebBackendOptions, WebGpuBackend } from './backend.ts';
export type { DeviceOptions } from './device.ts';
export type { KernelLimits } from './limits.ts';
