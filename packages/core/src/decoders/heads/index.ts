export {
  type BlockOptions,
  type HeadBlock,
  RidgeHeadsDecoder,
} from './decoder.ts';
export { type FinishOptions, finishPredictions } from './finish.ts';
export {
  type DesignConfig,
  designTensor,
  HEADS_KIND,
  type HeadConfig,
  type HeadStatistics,
  type HeadsConfig,
  headsConfig,
  headTensor,
  STATISTICS,
} from './model.ts';
export {
  type DesignNumbers,
  type HeadsBundle,
  headsContents,
  type PlacedMatrix,
  smallTensors,
  type WeightFiles,
  writeHeadsModel,
} from './save.ts';
