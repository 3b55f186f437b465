import { z } from 'zod';
import type { BundleContents, BundleTensor } from '../../bundle/contents.ts';
import { F2iError } from '../../error.ts';
import {
  bundleTensor,
  checkStoredOutput,
  readConfig,
  StoredTensors,
  storedWarnings,
} from '../bundleParts.ts';
import { outputSize } from '../decoder.ts';
import type { RidgeModel } from './model.ts';

/** `config` of a ridge bundle. */
const configSchema = z.strictObject({
  storage: z.enum(['primal', 'dual']),
  lags: z.array(z.int().min(-1000).max(1000)).min(1).max(1000),
  intercept: z.boolean(),
  standardize: z.boolean(),
});

const VOXEL_MEAN = 'voxel_mean';
const VOXEL_STD = 'voxel_std';
const TARGET_MEAN = 'target_mean';
const ALPHAS = 'alphas';
const WEIGHTS = 'weights';
const DUAL_WEIGHTS = 'dual_weights';
const TRAINING_VOXELS = 'training_voxels';

export function modelToBundle(model: RidgeModel): BundleContents {
  const { storage, lags, weights, trainingVoxels } = model;
  const width = model.voxelMean.length;
  const t = model.targetMean.length;
  const rows = weights.length / t;
  const dtype = weights instanceof Float64Array ? 'f64' : 'f32';
  const tensors: BundleTensor[] = [
    bundleTensor(VOXEL_MEAN, 'f32', [width], model.voxelMean, 'subtracted from each lagged voxel'),
    bundleTensor(
      VOXEL_STD,
      'f32',
      [width],
      model.voxelStd,
      'divides each centred lagged voxel; one with 0 is ignored (becomes 0)',
    ),
    bundleTensor(
      TARGET_MEAN,
      'f32',
      [t],
      model.targetMean,
      'added to each output: the mean of the training targets, or 0',
    ),
    bundleTensor(ALPHAS, 'f64', [t], model.alphas, 'penalty of each output; not needed to predict'),
  ];
  if (storage === 'primal') {
    tensors.push(
      bundleTensor(WEIGHTS, dtype, [rows, t], weights, 'lagged standardised voxels to outputs, lag-major'),
    );
  } else {
    tensors.push(
      bundleTensor(DUAL_WEIGHTS, dtype, [rows, t], weights, 'training trials to outputs'),
      bundleTensor(
        TRAINING_VOXELS,
        'f32',
        [rows, width],
        trainingVoxels!,
        'standardised responses of training trials',
      ),
    );
  }
  return {
    kind: 'ridge',
    input: model.input,
    output: model.output,
    config: { storage, lags: [...lags], ...model.config },
    report: model.report,
    ledger: model.ledger,
    seed: 0,
    containsTrainingData: storage === 'dual',
    tensors,
  };
}

/**
 * @param file name of model.json, for errors
 * @throws FORMAT naming field, expected and found
 */
export function modelFromBundle(contents: BundleContents, file: string): RidgeModel {
  const { storage, lags, ...settings } = readConfig(contents.config, configSchema, file);
  checkStoredOutput(contents, file);
  const dual = storage === 'dual';
  const t = outputSize(contents.output);
  const width = lags.length * contents.input.voxels;
  const tensors = new StoredTensors(contents, file);
  const voxelMean = tensors.take(VOXEL_MEAN, ['f32'], [width]).data;
  const voxelStd = tensors.take(VOXEL_STD, ['f32'], [width]).data;
  const targetMean = tensors.take(TARGET_MEAN, ['f32'], [t]).data;
  const alphas = tensors.take(ALPHAS, ['f64'], [t]).data;
  const weights = dual
    ? tensors.take(DUAL_WEIGHTS, ['f32', 'f64'], [undefined, t])
    : tensors.take(WEIGHTS, ['f32', 'f64'], [width, t]);
  const trainingVoxels = dual
    ? tensors.take(TRAINING_VOXELS, ['f32'], [weights.shape[0], width]).data
    : undefined;
  tensors.end();
  if (contents.containsTrainingData !== dual) {
    throw new F2iError('FORMAT', 'a dual decoder holds training data, a primal one does not', {
      file,
      field: 'containsTrainingData',
      expected: `${dual}`,
      found: `${contents.containsTrainingData}`,
    });
  }
  return {
    input: contents.input,
    output: contents.output,
    lags,
    voxelMean,
    voxelStd,
    storage,
    weights: weights.data,
    trainingVoxels,
    targetMean,
    alphas,
    config: settings,
    report: contents.report,
    warnings: storedWarnings(contents.report),
    ledger: contents.ledger,
  };
}
