export * from '@fmri2image/core';
export { type BackendOptions, createBackend } from './backend.ts';
export { CpuBackend, type CpuOptions } from './cpu.ts';
export * from './files.ts';
export { type DecoderSource, type LoadDecoderOptions, loadDecoder } from './loadDecoder.ts';
export type { Isa } from './native/addon.ts';
export { type NpyFileSink, type NpySinkOptions, npyFileSink } from './npySink.ts';
export { packFile } from './packFile.ts';
export { fileSyncSource } from './syncFile.ts';
