export { type BootstrapOptions, bootstrapInterval, quantile, standardError } from './bootstrap.ts';
export { meanPicture } from './controls.ts';
export { type CorrelationMatrix, type CorrelationOptions, correlationMatrix } from './correlationMatrix.ts';
export {
  CHANCE,
  type EvaluateInput,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  type MetricResult,
} from './evaluate.ts';
export { meanScore, ownScores, type ScoreTable } from './pairing.ts';
export {
  type Exchangeability,
  type PermutationOptions,
  type PermutationResult,
  permutationTest,
} from './permutation.ts';
export { pixelCorrelation } from './pixelCorrelation.ts';
export { type IdentificationOrientation, twoWayIdentification } from './twoWayIdentification.ts';
