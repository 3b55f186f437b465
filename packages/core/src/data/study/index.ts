export { blocksOf, hasBlocks, type LabelledStudy, type LabelStimuli, labelTargets } from './labels.ts';
export { DATA_PREFIX, type LoadStudyOptions, loadStudy } from './load.ts';
export { didYouMean } from './nearest.ts';
export {
  BLOCK_DELAYS,
  DRIFT_CUTOFF_SECONDS,
  defaultPreparation,
  EVENT_DELAYS,
  keepsToOwnRun,
  labelPreparation,
  lagsOfDelays,
  type PreparationStep,
  type PreparedStudy,
  prepareStudy,
  takeRows,
} from './prepare.ts';
export { type SampleOptions, sampleTrials } from './samples.ts';
export {
  parseManifest,
  STUDY_FORMAT,
  STUDY_VERSION,
  type StudyManifest,
  type VisualField,
} from './schema.ts';
export { selectionChecksum } from './selection.ts';
export type { DecodedPicture, PictureCodec } from './stimuli.ts';
export type { Stimuli, Study, StudyRun, Trial, VoxelSelection, VoxelSpace } from './study.ts';
