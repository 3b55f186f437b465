export * from './backend.ts';
export * from './bundle/index.ts';
export { bytesInWords } from './bytesInWords.ts';
export * from './convert.ts';
export * from './data/index.ts';
export * from './decoders/index.ts';
export * from './diffusion/index.ts';
export * from './dtype.ts';
export * from './error.ts';
export * from './float64.ts';
export * from './generators/index.ts';
export { Graph, type GraphBody, type LaunchCall, type RecordedOps } from './graph.ts';
export { resizePicture } from './image/resize.ts';
export { type BytePicture, type PillowFilter, resizePillow } from './image/resizePillow.ts';
export * from './interpret/index.ts';
export * from './metrics/index.ts';
export * from './nn/index.ts';
export * from './noise/index.ts';
export * from './ops/index.ts';
export {
  checkOptions,
  checkOptionValues,
  LOAD_OPTIONS,
  MEMORY_LIMIT,
  type OptionCheck,
  type OptionChecks,
} from './options.ts';
export * from './place.ts';
export * from './random.ts';
export * from './recipes/index.ts';
export * from './reference/backend.ts';
export * from './rows.ts';
export * from './simulate/index.ts';
export * from './tensor.ts';
export * from './version.ts';
export * from './weights/index.ts';
export * from './worker/index.ts';
