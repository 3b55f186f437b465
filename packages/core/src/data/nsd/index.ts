export { ATLASES } from './atlases.ts';
export { BETA_DATASET, BETA_SCALE } from './betas.ts';
export { NSD_FILES, subjectName } from './files.ts';
export {
  BEHAVIOUR_COLUMNS,
  MINDEYE_BETAS,
  MINDEYE_FILES,
  type MindEyeSubject,
  type MindEyeTrial,
  openMindEye,
  openMindEyeSubject,
} from './mindeye.ts';
export { BETA_TYPES, type NsdOptions, openNsd } from './native.ts';
export {
  NSD_PICTURES,
  type PublishedCounts,
  type PublishedSplit,
  type PublishedSubject,
  publishedSubject,
  SHARED_PICTURES,
  SPLITS,
  type SplitName,
  TRIALS_A_SESSION,
} from './published.ts';
