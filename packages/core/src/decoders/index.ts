export type {
  Decoder,
  DecoderOutput,
  Features,
  PredictOptions,
  Reconstruction,
  ReconstructOptions,
} from './decoder.ts';
export { outputSize } from './decoder.ts';
export type { LoadedDecoder, LoadProgress } from './loaded.ts';
export { Picture } from './picture.ts';
export * from './retinotopic/index.ts';
export * from './ridge/index.ts';
