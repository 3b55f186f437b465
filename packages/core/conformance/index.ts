export {
  gaussianField,
  responseToFrame,
  type SimulateBarsOptions,
  type SimulatedBars,
  simulateBars,
} from './bars.ts';
export { Bounds } from './bounds.ts';
export {
  type BundleCheck,
  checkBundles,
  KEPT_BUNDLES,
  keptBundle,
  keptPictures,
  PICTURE_TOLERANCE,
} from './bundle.ts';
export { type Expectation, expectations } from './expectation.ts';
export { EVERYWHERE } from './goldens/everywhere.ts';
export {
  type ComparedTensor,
  formatGolden,
  type GoldenResult,
  type GoldensOptions,
  runGoldens,
  summary,
} from './goldens/run.ts';
export {
  checkKeptModel,
  keptModel,
  keptModelInput,
  keptOutputs,
  MODEL_TOLERANCE,
} from './keptModel.ts';
export { MINDEYE2_PUBLISHED, type RandomModelOptions, randomModel } from './models.ts';
export {
  type CaseResult,
  type ConformanceOptions,
  type ConformanceReport,
  formatReport,
  KnownCases,
  runConformance,
} from './runner.ts';
export { priorSample, voxelsToTokens, type Workload } from './workloads.ts';
