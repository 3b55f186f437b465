export * from '@fmri2image/core';
export { type BackendOptions, createBackend } from './backend.ts';
export type { DeviceOptions } from './device.ts';
export type { DirectoryHandleLike } from './handle.ts';
export type { KernelLimits } from './limits.ts';
export { type DecoderSource, type LoadDecoderOptions, loadDecoder } from './loadDecoder.ts';
export { createWebBackend, type WebBackendOptions, WebGpuBackend } from './webgpu.ts';
