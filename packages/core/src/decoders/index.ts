export * from './align/index.ts';
export { convertClipTokens, openClipConverter } from './clipConverter.ts';
export type { ConvertedOptions } from './converted.ts';
export type {
  DecodedLabel,
  Decoder,
  DecoderOutput,
  Features,
  PredictOptions,
  Reconstruction,
  ReconstructOptions,
} from './decoder.ts';
export { labelOf, outputSize } from './decoder.ts';
export {
  type BundleFiles,
  bundleFolder,
  bundleMessage,
  type FileLike,
  filesFolder,
  isFolder,
  type PortableBundle,
} from './files.ts';
export * from './heads/index.ts';
export { type LocalLoadOptions, loadLocally } from './load.ts';
export {
  type LoadedDecoder,
  type LoadOptions,
  type LoadProgress,
  PRECISIONS,
  type Precision,
} from './loaded.ts';
export type { MemoryNeeded, MemoryThere } from './memory.ts';
export * from './mindeye1/index.ts';
export * from './mindeye2/index.ts';
export {
  type FileHandleLike,
  Picture,
  type PictureImageData,
  type PngOptions,
  type PngTarget,
  type WritableLike,
  type WritePictureFile,
  type WritePngOptions,
} from './picture.ts';
export * from './retinotopic/index.ts';
export * from './ridge/index.ts';
