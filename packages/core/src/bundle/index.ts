export type { BundleContents, BundleInput, BundleTensor, FittedStep, SawTest } from './contents.ts';
export {
  type BundleDifference,
  type Change,
  diffBundles,
  diffWeights,
  type TensorDifference,
  type Verdict,
} from './diff.ts';
export { type ExportOptions, type PreparedExport, prepareExport } from './export.ts';
export { type PreparedCopy, prepareCopy } from './exportWeights.ts';
export { type FittedBy, fittedByOf, kindOfDevice } from './fittedBy.ts';
export { CHUNK_BYTES } from './hash.ts';
export { type MatrixShard, matrixShards, SHARD_BYTES } from './matrixShards.ts';
export {
  decoderOf,
  type OpenBundleOptions,
  type OpenedBundle,
  type OpenedWeights,
  openBundle,
  openBundleWeights,
  RANGED_KINDS,
  readBundle,
  readModel,
} from './open.ts';
export { preparationOf, rowOfInput } from './preparation.ts';
export { type BundleWriter, type SaveOptions, saveBundle } from './save.ts';
export {
  type BundleModel,
  FORMAT_VERSION,
  isWeightsFile,
  MODEL_FILE,
  shardFile,
  type TensorDescription,
  WEIGHTS_FILE,
} from './schema.ts';
