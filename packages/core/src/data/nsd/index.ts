export {
  NSD_PICTURES,
  type PublishedSplit,
  type PublishedSubject,
  publishedSubject,
  SHARED_PICTURES,
  SPLITS,
  type SplitName,
  TRIALS_A_SESSION,
} from './published.ts';
