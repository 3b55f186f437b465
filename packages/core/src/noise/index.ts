export {
  type NoiseCeilingOptions,
  noiseCeilingOf,
  type ResponseSource,
  type VoxelNoiseCeiling,
} from './noiseCeiling.ts';
export {
  type RefitPermutationOptions,
  type RefitPermutationResult,
  refitPermutationTest,
  type Statistic,
} from './refitPermutation.ts';
export { labelAccuracy, meanTargetCorrelation, targetCorrelations } from './statistics.ts';
