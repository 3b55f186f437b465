export {
  type BucketOptions,
  distanceBucket,
  type PositionBucketOptions,
  relativePositionBuckets,
  rotaryFrequencies,
  rotaryTables,
  type TimestepEmbeddingOptions,
  timestepEmbedding,
} from './tables.ts';
