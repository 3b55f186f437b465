export { type HeadReadout, readoutOfHead } from './heads.ts';
export type { NestedFold, PenaltyOptions } from './heldOut.ts';
export type { TargetIntervals, WeightIntervalOptions, WeightIntervals } from './intervals/types.ts';
export { weightIntervals } from './intervals/weightIntervals.ts';
export { type PatternForm, type PatternOptions, patternMap } from './pattern.ts';
export type { Combine } from './project.ts';
export {
  type DesignColumns,
  designInMemory,
  type Readout,
  readoutOf,
  standardisedDesign,
} from './readout.ts';
export {
  type RegionContribution,
  type RegionOptions,
  type RegionPredictions,
  type Regions,
  type RegionVoxels,
  regionContribution,
  regionPredictions,
} from './regions.ts';
export type { ResponseUnit } from './unit.ts';
export { type MapOptions, type VoxelMap, weightMap } from './weightMap.ts';
