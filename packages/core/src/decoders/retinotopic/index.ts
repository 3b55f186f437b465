export type { Regularisation } from './choose.ts';
export { RetinotopicDecoder } from './decoder.ts';
export type { Extent, HrfCurve, ReceptiveFields, RetinotopicMaps, VisualExtent } from './fields.ts';
export { hasReceptiveFields } from './fields.ts';
export type { RetinotopicFitContext, RetinotopicProgress } from './fitDecoder.ts';
export { CANONICAL_HRF, type Hrf } from './hrf.ts';
export type { RetinotopicConfig, RetinotopicModel } from './model.ts';
export {
  RETINOTOPIC_DEFAULTS,
  type RetinotopicDecoderOptions,
  type RetinotopicTrainingData,
} from './options.ts';
export { PRF_MODELS, type PrfModel } from './prf.ts';
