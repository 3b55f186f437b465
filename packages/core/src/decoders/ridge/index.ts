export { crossValidate } from './crossValidate.ts';
export { fitRidge, interceptOf, type RidgeFit, type RidgeOptions } from './fit.ts';
export { leaveOneOut } from './leaveOneOut.ts';
export { CONDITION_LIMIT, largestEigenvalue, type Numerics, type Precision } from './precision.ts';
export { ALPHA_SCORES, type AlphaScore } from './scores.ts';
export { type AlphaSelection, logGrid, selectAlphas } from './select.ts';
export type { Factorisation } from './smoother.ts';
export { type TargetSource, targetsInMemory } from './targets.ts';
export type { Fold, RidgeForm, RidgePhase, RidgeProgress } from './types.ts';
