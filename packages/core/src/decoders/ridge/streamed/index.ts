export { matrixDesign } from './matrixDesign.ts';
export { openStreamedRidge, REFINEMENT_LIMIT } from './open.ts';
export { planStreamed, type StreamedPlan, type StreamedSizes, targetBlock, VOXEL_BLOCK } from './plan.ts';
export type {
  AlphaChoice,
  BlockStatistics,
  Design,
  DesignInto,
  DesignMatrix,
  DesignTargets,
  Streamed,
  StreamedNumerics,
  StreamedPhase,
  StreamedPrecision,
  StreamedProgress,
  StreamedRidge,
  StreamedRidgeOptions,
  StreamedSink,
  StreamOptions,
  WeightOptions,
} from './types.ts';
