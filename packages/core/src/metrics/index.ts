export { type BootstrapOptions, bootstrapInterval, quantile, standardError } from './bootstrap.ts';
export { brainCorrelation } from './brainCorrelation.ts';
export { meanPicture } from './controls.ts';
export { correlationDistance } from './correlationDistance.ts';
export { type CorrelationMatrix, type CorrelationOptions, correlationMatrix } from './correlationMatrix.ts';
export { type CosineSimilarities, cosineSimilarity } from './cosineSimilarity.ts';
export { CHANCE, type EvaluateInput, type EvaluateOptions, evaluate } from './evaluate.ts';
export type {
  ControlScores,
  Evaluation,
  MetricResult,
  PartialResult,
  RetrievalEvaluation,
  RetrievalMetric,
} from './evaluation.ts';
export {
  type CategoryTable,
  type Competitors,
  identificationByCategory,
} from './identificationByCategory.ts';
export {
  evaluateLabels,
  type LabelCounts,
  type LabelEvaluation,
  type LabelInput,
  type LabelOptions,
  type LabelScore,
} from './labels.ts';
export { type NearestPictures, nearestPictures } from './nearest.ts';
export { pairedCorrelation } from './pairedCorrelation.ts';
export { meanScore, ownScores, type ScoreTable } from './pairing.ts';
export {
  type Exchangeability,
  type PermutationOptions,
  type PermutationResult,
  permutationTest,
} from './permutation.ts';
export { pixelCorrelation } from './pixelCorrelation.ts';
export { colourSsim } from './protocols/colourSsim.ts';
export {
  type MindeyePictureMetric,
  type MindeyePictureOptions,
  mindeyePictures,
} from './protocols/mindeyePictures.ts';
export { mindeyeRetrieval } from './protocols/mindeyeRetrieval.ts';
export { mindeyeTwoWay, type TwoWayCounts } from './protocols/mindeyeTwoWay.ts';
export { nsdImageryTwoWay } from './protocols/nsdImageryTwoWay.ts';
export { numpyDraws } from './protocols/numpyDraws.ts';
export { type RepeatAgreement, repeatAgreement } from './repeatAgreement.ts';
export { type RepeatCeiling, repeatCeiling } from './repeatCeiling.ts';
export {
  type DirectionResult,
  PUBLISHED_POOL,
  type Retrieval,
  type RetrievalOptions,
  retrieval,
} from './retrieval.ts';
export { type PoolOptions, type RetrievalDirection, retrievalTable } from './retrievalTable.ts';
export type { ProductOptions, Similarity } from './rowProducts.ts';
export { type ComparedRows, type MatrixRows, pickRows } from './rowValues.ts';
export { type Plane, type Ssim, type SsimOptions, ssim } from './ssim.ts';
export { type IdentificationOrientation, twoWayIdentification } from './twoWayIdentification.ts';
