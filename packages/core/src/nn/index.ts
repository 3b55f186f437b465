export {
  type LoadNetworkOptions,
  loadNetwork,
  type NetworkChoice,
  networkBytes,
} from './loadNetwork.ts';
export { ARITHMETICS, type Arithmetic, type Network, ResidentNetwork } from './network.ts';
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
