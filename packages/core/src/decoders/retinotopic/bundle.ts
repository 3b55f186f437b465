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
import { checkGram, checkKernel, type Refuse } from './bundleChecks.ts';
import type { RetinotopicModel } from './model.ts';
import { PRF_PARAMETERS } from './prf.ts';

const finite = z.number();
const hrf = z.strictObject({
  peak: finite.positive(),
  width: finite.positive(),
  undershoot: finite.min(0).lt(1),
  undershootPeak: finite.positive(),
  undershootWidth: finite.positive(),
});

/** `config` of a retinotopic bundle. */
const configSchema = z.strictObject({
  prf: z.enum(['gaussian', 'css', 'dog']),
  visual: z.strictObject({
    unit: z.enum(['degrees', 'pixels']),
    extent: z.strictObject({ left: finite, right: finite, top: finite, bottom: finite }),
  }),
  hrf,
  acquisition: finite.min(0).max(1),
  guardSeconds: finite.min(0),
  signed: z.boolean(),
  threshold: finite.min(0).max(1),
  noiseCorrelation: finite.min(0).lt(1),
  varianceShrinkage: finite.min(0).max(1),
  ridge: finite.positive(),
  smoothTime: finite.min(0),
  smoothSpace: finite.min(0),
  bounds: z.enum(['none', 'non-negative', 'range']),
  iterations: z.int().min(1).max(100_000),
  blockDrift: z.int().min(-1).max(5),
});

export function modelToBundle(model: RetinotopicModel): BundleContents {
  const selected = model.voxel.length;
  const pixels = outputSize(model.output);
  const parameters = PRF_PARAMETERS[model.config.prf];
  const order = parameters.join(', ');
  const { unit } = model.visual;
  const tensors: BundleTensor[] = [
    bundleTensor('voxel', 'i32', [selected], model.voxel, 'columns of the betas that are used'),
    bundleTensor('baseline', 'f32', [selected], model.baseline, 'response to nothing, subtracted first'),
    bundleTensor(
      'projection',
      'f32',
      [selected, pixels],
      model.projection,
      'inverse noise covariance times receptive fields',
    ),
    bundleTensor(
      'gram',
      'f32',
      [pixels, pixels],
      model.gram,
      'receptive fields times inverse noise covariance times receptive fields',
    ),
    bundleTensor(
      'kernel',
      'f64',
      [model.kernel.length],
      model.kernel,
      'response of a volume to the frame k volumes before it',
    ),
    bundleTensor(
      'fields',
      'f64',
      [selected, parameters.length],
      model.theta,
      `receptive fields in ${unit}: ${order}; not needed to predict`,
    ),
    bundleTensor(
      'amplitude',
      'f32',
      [selected],
      model.amplitude,
      'scale of each response; not needed to predict',
    ),
    bundleTensor(
      'correlation',
      'f32',
      [selected],
      model.correlation,
      'of response and prediction over the training volumes; not needed to predict',
    ),
    bundleTensor(
      'hrf_times',
      'f32',
      [model.curve.times.length],
      model.curve.times,
      'seconds after an event; not needed to predict',
    ),
    bundleTensor(
      'hrf_values',
      'f32',
      [model.curve.values.length],
      model.curve.values,
      'haemodynamic response, of area 1; not needed to predict',
    ),
  ];
  const { hrf, ...settings } = model.config;
  return {
    kind: 'retinotopic',
    input: model.input,
    output: model.output,
    config: {
      ...settings,
      hrf: { ...hrf },
      visual: { unit, extent: { ...model.visual.extent } },
    },
    report: model.report,
    ledger: model.ledger,
    seed: 0,
    containsTrainingData: false,
    tensors,
  };
}

/**
 * @param file name of model.json, for errors
 * @throws FORMAT naming field, expected and found
 */
export function modelFromBundle(contents: BundleContents, file: string): RetinotopicModel {
  const bad = (message: string, field: string, expected?: string, found?: string) =>
    new F2iError('FORMAT', message, { file, field, expected, found });
  const { visual, ...config } = readConfig(contents.config, configSchema, file);
  const { input, output } = contents;
  if (output.kind !== 'picture') {
    throw bad('a retinotopic decoder gives pictures', 'output.kind', 'picture', output.kind);
  }
  checkStoredOutput(contents, file);
  if ((output.shape[2] ?? 1) !== 1) {
    throw bad(
      'a retinotopic decoder gives grey pictures',
      'output.shape',
      '[height, width]',
      `[${output.shape}]`,
    );
  }
  const { repetitionTime } = input;
  if (repetitionTime === undefined) {
    throw bad('a retinotopic decoder reads volumes', 'input.repetitionTime', 'seconds', 'none');
  }
  if (contents.containsTrainingData) {
    throw bad('a retinotopic decoder holds no training data', 'containsTrainingData', 'false', 'true');
  }
  const pixels = outputSize(output);
  const tensors = new StoredTensors(contents, file);
  const voxel = tensors.take('voxel', ['i32'], [undefined]).data;
  const selected = voxel.length;
  voxel.forEach((column, i) => {
    if (column >= 0 && column < input.voxels && (i === 0 || column > voxel[i - 1]!)) return;
    throw bad(
      'not columns of the betas, ascending',
      'tensors.voxel',
      `0 to ${input.voxels - 1}`,
      `${column}`,
    );
  });
  const f32 = (name: string, shape: readonly (number | undefined)[]) =>
    tensors.take(name, ['f32'], shape).data;
  const f64 = (name: string, shape: readonly (number | undefined)[]) =>
    tensors.take(name, ['f64'], shape).data;
  const times = f32('hrf_times', [undefined]);
  const model: RetinotopicModel = {
    input: { ...input, repetitionTime },
    output,
    visual,
    voxel,
    theta: f64('fields', [selected, PRF_PARAMETERS[config.prf].length]),
    amplitude: f32('amplitude', [selected]),
    baseline: f32('baseline', [selected]),
    correlation: f32('correlation', [selected]),
    kernel: f64('kernel', [undefined]),
    curve: { times, values: f32('hrf_values', [times.length]) },
    projection: f32('projection', [selected, pixels]),
    gram: f32('gram', [pixels, pixels]),
    config,
    report: contents.report,
    warnings: storedWarnings(contents.report),
    ledger: contents.ledger,
  };
  const refuse: Refuse = (message, name, expected, found) => {
    throw bad(message, `tensors.${name}`, expected, found);
  };
  checkKernel(model.kernel, repetitionTime, refuse);
  checkGram(model.gram, pixels, refuse);
  tensors.end();
  return model;
}
