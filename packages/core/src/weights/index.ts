export { type ConvertedModel, type ConvertOptions, writeWeights } from './convert.ts';
export { convertedModel, convertibleSchema, matchModel, publishedModel } from './converted.ts';
export { type MatchedWeight, type MatchedWeights, matchWeights } from './match.ts';
export { countParameters, openShardedWeights, openWeights } from './open.ts';
export { CONVERTED_KINDS, PUBLISHED_MODELS, type PublishedModel } from './published.ts';
export { roundElements, type WeightType } from './round.ts';
export {
  defineSchema,
  type ExpectedWeight,
  expectedWeights,
  type ModelSizes,
  type WeightRule,
  type WeightSchema,
} from './schema.ts';
export * from './schemas/index.ts';
export { mergeWeights, streamWeight, type WeightEntry, type WeightSource, weightSource } from './source.ts';
