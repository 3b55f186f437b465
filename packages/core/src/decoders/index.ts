export * from './align/index.ts';
export type {
  Decoder,
  DecoderOutput,
  Features,
  PredictOptions,
  Reconstruction,
  ReconstructOptions,
} from './decoder.ts';
export { outputSize } from './decoder.ts';
export { type BundleFiles, checkFiles, type FileLike, filesFolder } from './files.ts';
export { type LocalLoadOptions, loadLocally } from './load.ts';
export type { LoadedDecoder, LoadOptions, LoadProgress } from './loaded.ts';
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
