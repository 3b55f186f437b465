import type { Backend } from '../../backend.ts';
import type { OpenedWeights } from '../../bundle/open.ts';
import { F2iError } from '../../error.ts';
import { hasFloat64 } from '../../float64.ts';
import type { ConvertedOptions } from '../converted.ts';
import { checkMemory } from '../memory.ts';
import { disposeHeads, type LoadedDesign, type LoadedHead, RidgeHeadsDecoder } from './decoder.ts';
import { isMapped, loadMatrix } from './matrices.ts';
import {
  designTensor,
  type HeadStatistics,
  type HeadsConfig,
  headsConfig,
  headTensor,
  STATISTICS,
} from './model.ts';

/** One batch: responses, products with the training rows, predictions. */
const ACTIVATION_BYTES = 256 * 2 ** 20;

/**
 * Opens a bundle of ridge heads. Matrices are mapped from disk where the device can do that: they then take no memory of
 * their own, and each batch of trials reads them once.
 *
 * @throws FORMAT for tensors that config does not ask for; OUT_OF_MEMORY, before anything is loaded, with both numbers;
 *   INVALID_ARGUMENT for a stage, precision or subject, which such bundles do not have; IO, CANCELLED
 */
export async function openRidgeHeads(
  { model, weights, warnings }: OpenedWeights,
  file: string,
  backend: Backend,
  options: ConvertedOptions,
): Promise<RidgeHeadsDecoder> {
  const given = (['stage', 'precision', 'subject'] as const).find((name) => options[name] !== undefined);
  if (given) {
    throw new F2iError('INVALID_ARGUMENT', 'an option for converted checkpoints alone', {
      field: given,
      expected: `nothing, for a decoder of kind ${model.kind}`,
      found: `${options[given]}`,
    });
  }
  const { signal, memory = {} } = options;
  const config = headsConfig(model, file);
  const types = typesOf(config, model, backend);
  const copied = [...weights.entries.values()].filter(({ name }) => !isMapped(weights, name, backend));
  checkMemory(
    {
      weights: copied.reduce((sum, { byteLength }) => sum + byteLength, 0),
      activations: ACTIVATION_BYTES,
    },
    memory,
    backend,
    { file, remedy: 'a device of this computer maps the weights from disk instead' },
  );
  const { voxels } = model.input;
  const from: LoadedFrom = { weights, backend, file, signal };
  const designs: LoadedDesign[] = [];
  const heads: LoadedHead[] = [];
  try {
    for (const d of config.designs.keys()) designs.push(await loadDesign(d, voxels, from));
    for (const { name } of config.heads) heads.push(await loadHead(name, types.get(name)!, from));
  } catch (error) {
    disposeHeads({ designs, heads });
    throw error;
  }
  const inexact = config.heads.filter(
    ({ name }) => storedType(model, name) === 'f64' && types.get(name) === 'f32',
  );
  const notes = inexact.map(
    ({ name }) =>
      `head ${name}: fitted in float64, applied in float32 by ${backend.name}: predictions may be inexact`,
  );
  return new RidgeHeadsDecoder(
    { config, designs, heads },
    { voxels, output: model.output },
    backend,
    [...warnings, ...notes],
    file,
  );
}

const storedType = ({ tensors }: OpenedWeights['model'], head: string) =>
  tensors[headTensor(head, 'weights')]!.dtype;

/** Arithmetic of each head: that of its weights, where the device has it. */
function typesOf(
  { heads }: HeadsConfig,
  model: OpenedWeights['model'],
  backend: Backend,
): ReadonlyMap<string, 'f32' | 'f64'> {
  const hasDouble = hasFloat64(backend);
  return new Map(
    heads.map(({ name }) => [name, storedType(model, name) === 'f64' && hasDouble ? 'f64' : 'f32']),
  );
}

/** Where matrices come from, and where they go. */
interface LoadedFrom {
  readonly weights: OpenedWeights['weights'];
  readonly backend: Backend;
  readonly file: string;
  readonly signal: AbortSignal | undefined;
}

/** @param voxels of the betas, among which a design's columns are */
async function loadDesign(
  d: number,
  voxels: number,
  { weights, backend, file, signal }: LoadedFrom,
): Promise<LoadedDesign> {
  const vector = async (part: 'voxel_mean' | 'voxel_std' | 'center') =>
    ((await weights.read(designTensor(d, part), signal)).data as Float32Array).slice();
  const columns = (await weights.read(designTensor(d, 'columns'), signal)).data as Int32Array;
  const outside = columns.find((column) => column < 0 || column >= voxels);
  if (outside !== undefined) {
    throw new F2iError('FORMAT', 'a column that the betas do not have', {
      file,
      field: designTensor(d, 'columns'),
      expected: `0 to ${voxels - 1}`,
      found: `${outside}`,
    });
  }
  const training = designTensor(d, 'training_voxels');
  return {
    columns: columns.slice(),
    mean: await vector('voxel_mean'),
    std: await vector('voxel_std'),
    center: await vector('center'),
    training: weights.entries.has(training)
      ? await loadMatrix(weights, training, backend, { dtype: 'f32', signal })
      : undefined,
  };
}

async function loadHead(
  name: string,
  dtype: 'f32' | 'f64',
  { weights, backend, signal }: LoadedFrom,
): Promise<LoadedHead> {
  const statistics: Partial<Record<string, Float64Array>> = {};
  for (const part of STATISTICS) {
    const { data } = await weights.read(headTensor(name, part), signal);
    statistics[part] = (data as Float64Array).slice();
  }
  return {
    statistics: statistics as HeadStatistics,
    weights: await loadMatrix(weights, headTensor(name, 'weights'), backend, { dtype, signal }),
  };
}
