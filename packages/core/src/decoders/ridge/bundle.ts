import { z } from 'zod';
import type { BundleContents, BundleTensor } from '../../bundle/contents.ts';
import type { ElementType, NdArray } from '../../data/ndarray.ts';
import { schemaError } from '../../data/schema_error.ts';
import { F2iError } from '../../error.ts';
import { checkOutput, outputSize } from '../decoder.ts';
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
    tensor(VOXEL_MEAN, 'f32', [width], model.voxelMean, 'subtracted from each lagged voxel'),
    tensor(
      VOXEL_STD,
      'f32',
      [width],
      model.voxelStd,
      'divides each centred lagged voxel; one with 0 is ignored (becomes 0)',
    ),
    tensor(
      TARGET_MEAN,
      'f32',
      [t],
      model.targetMean,
      'added to each output: the mean of the training targets, or 0',
    ),
    tensor(ALPHAS, 'f64', [t], model.alphas, 'penalty of each output; not needed to predict'),
  ];
  if (storage === 'primal') {
    tensors.push(
      tensor(WEIGHTS, dtype, [rows, t], weights, 'lagged standardised voxels to outputs, lag-major'),
    );
  } else {
    tensors.push(
      tensor(DUAL_WEIGHTS, dtype, [rows, t], weights, 'training trials to outputs'),
      tensor(
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

function tensor<D extends ElementType>(
  name: string,
  dtype: D,
  shape: number[],
  data: NdArray<D>['data'],
  meaning: string,
): BundleTensor {
  return { name, dtype, shape, data, meaning } as BundleTensor;
}

/** @param file name of model.json, for errors */
export function modelFromBundle(contents: BundleContents, file: string): RidgeModel {
  const config = configSchema.safeParse(contents.config);
  if (!config.success) {
    throw schemaError(
      { config: contents.config },
      config.error.issues.map((issue) => ({ ...issue, path: ['config', ...issue.path] })),
      z.object({ config: configSchema }),
      file,
    );
  }
  try {
    checkOutput(contents.output, contents.output.shape);
  } catch (cause) {
    throw new F2iError('FORMAT', (cause as Error).message, { file, cause });
  }
  const { storage, lags, ...settings } = config.data;
  const dual = storage === 'dual';
  const t = outputSize(contents.output);
  const width = lags.length * contents.input.voxels;
  const taken = new Set<string>();
  const take = (name: string, dtypes: readonly string[], shape: readonly (number | undefined)[]) => {
    taken.add(name);
    const found = contents.tensors.find((entry) => entry.name === name);
    const fits =
      found &&
      dtypes.includes(found.dtype) &&
      found.shape.length === shape.length &&
      shape.every((extent, axis) => extent === undefined || extent === found.shape[axis]);
    if (!fits) {
      throw new F2iError('FORMAT', 'a tensor of the decoder is missing or has the wrong form', {
        file,
        field: `tensors.${name}`,
        expected: `${dtypes.join(' or ')} [${shape.map((extent) => extent ?? 'any').join(', ')}]`,
        found: found ? `${found.dtype} [${found.shape.join(', ')}]` : 'none',
      });
    }
    const bad = (found.data as Float64Array).findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) {
      const where = `${found.data[bad]} at element ${bad}`;
      throw new F2iError('FORMAT', 'a tensor holds NaN or infinity', {
        file,
        field: `tensors.${name}`,
        found: where,
      });
    }
    return found;
  };
  const voxelMean = take(VOXEL_MEAN, ['f32'], [width]).data as Float32Array;
  const voxelStd = take(VOXEL_STD, ['f32'], [width]).data as Float32Array;
  const targetMean = take(TARGET_MEAN, ['f32'], [t]).data as Float32Array;
  const alphas = take(ALPHAS, ['f64'], [t]).data as Float64Array;
  const weights = take(dual ? DUAL_WEIGHTS : WEIGHTS, ['f32', 'f64'], [dual ? undefined : width, t]);
  const trainingVoxels = dual ? take(TRAINING_VOXELS, ['f32'], [weights.shape[0], width]) : undefined;
  const unknown = contents.tensors.find(({ name }) => !taken.has(name));
  if (unknown) {
    throw new F2iError('FORMAT', 'a tensor that ridge does not know', {
      file,
      field: `tensors.${unknown.name}`,
    });
  }
  if (contents.containsTrainingData !== dual) {
    throw new F2iError('FORMAT', 'a dual decoder holds training data, a primal one does not', {
      file,
      field: 'containsTrainingData',
      expected: `${dual}`,
      found: `${contents.containsTrainingData}`,
    });
  }
  const { warnings } = contents.report;
  return {
    input: contents.input,
    output: contents.output,
    lags,
    voxelMean,
    voxelStd,
    storage,
    weights: weights.data as Float32Array | Float64Array,
    trainingVoxels: trainingVoxels?.data as Float32Array | undefined,
    targetMean,
    alphas,
    config: settings,
    report: contents.report,
    warnings: Array.isArray(warnings) ? warnings.map(String) : [],
    ledger: contents.ledger,
  };
}
