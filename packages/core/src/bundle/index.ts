export type { BundleContents, BundleInput, BundleTensor, FittedStep, SawTest } from './contents.ts';
export { decoderOf, type OpenBundleOptions, type OpenedBundle, openBundle, readBundle } from './open.ts';
export { type BundleWriter, type SaveOptions, saveBundle } from './save.ts';
export { type BundleModel, FORMAT_VERSION } from './schema.ts';
