export {
  type RefitPermutationOptions,
  type RefitPermutationResult,
  refitPermutationTest,
  type Statistic,
} from './refitPermutation.ts';
export { labelAccuracy, meanTargetCorrelation, targetCorrelations } from './statistics.ts';
