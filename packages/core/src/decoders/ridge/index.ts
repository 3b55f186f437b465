export type { Affine } from './affine.ts';
export { type BandedRidgeFit, type BandedRidgeOptions, fitBandedRidge } from './banded.ts';
export { bandPredictions } from './bandPredictions.ts';
export type { BandSelection } from './bandSearch.ts';
export { type Band, bandsOf } from './bands.ts';
export { bandsOfModel } from './bandsOfModel.ts';
export { crossValidate } from './crossValidate.ts';
export { RidgeDecoder } from './decoder.ts';
export { fitRidge, interceptOf, type RidgeFit, type RidgeOptions } from './fit.ts';
export type { FitContext, RidgeBands, RidgeDecoderOptions, RidgeTrainingData } from './fitDecoder.ts';
export type { FoldPlan } from './folds.ts';
export { type DirichletOptions, dirichletGammas } from './gammas.ts';
export { leaveOneOut } from './leaveOneOut.ts';
export type { RidgeConfig, RidgeModel } from './model.ts';
export { CONDITION_LIMIT, largestEigenvalue, type Numerics, type Precision } from './precision.ts';
export { PRIMAL_LIMIT_BYTES, type PrimalOptions, primalRidge } from './primal.ts';
export {
  RENORMALISATIONS,
  type RenormaliseOptions,
  type RowStatistics,
  renormalise,
  rowStatistics,
} from './renormalise.ts';
export { ALPHA_SCORES, type AlphaScore } from './scores.ts';
export { type AlphaSelection, logGrid, selectAlphas } from './select.ts';
export type { Factorisation } from './smoother.ts';
export { type SplitScores, splitScores } from './splitScores.ts';
export * from './streamed/index.ts';
export { type TargetSource, targetsInMemory } from './targets.ts';
export type { Fold, RidgeForm, RidgePhase, RidgeProgress } from './types.ts';
