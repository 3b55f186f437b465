export { type CheckedRequest, checkRequest } from './checkRequest.ts';
export type {
  FeatureInput,
  Generator,
  GeneratorEvent,
  GeneratorInputs,
  GeneratorRequest,
  LowLevel,
  NamedFeatures,
} from './generator.ts';
