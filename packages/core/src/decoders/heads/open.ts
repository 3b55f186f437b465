import type { Backend } from '../../backend.ts';
import type { OpenedWeights } from '../../bundle/open.ts';
import { F2iError } from '../../error.ts';
import { hasFloat64 } from '../../float64.ts';
import type { ConvertedOptions } from '../converted.ts';
import { checkMemory } from '../memory.ts';
import { disposeHeads, type LoadedDesign, type LoadedHead, RidgeHeadsDecoder } from './decoder.ts';
import { isMapped, loadMatrix } from './matrices.ts';
import { designTensor, type HeadStatistics, headsConfig, headTensor, STATISTICS } from './model.ts';

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
  const float64 = hasFloat64(backend);
  const notes: string[] = [];
  const typeOf = (head: string): 'f32' | 'f64' => {
    const stored = model.tensors[headTensor(head, 'weights')]!.dtype;
    if (stored === 'f64' && !float64) {
      notes.push(
        `head ${head}: fitted in float64, applied in float32 by ${backend.name}: predictions may be inexact`,
      );
    }
    return stored === 'f64' && float64 ? 'f64' : 'f32';
  };
  const types = new Map(config.heads.map(({ name }) => [name, typeOf(name)]));
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
  const vector = async (name: string) => (await weights.read(name, signal)).data;
  const designs: LoadedDesign[] = [];
  const heads: LoadedHead[] = [];
  try {
    for (const [d] of config.designs.entries()) {
      const training = designTensor(d, 'training_voxels');
      const columns = (await vector(designTensor(d, 'columns'))) as Int32Array;
      const outside = columns.find((column) => column < 0 || column >= model.input.voxels);
      if (outside !== undefined) {
        throw new F2iError('FORMAT', 'a column that the betas do not have', {
          file,
          field: designTensor(d, 'columns'),
          expected: `0 to ${model.input.voxels - 1}`,
          found: `${outside}`,
        });
      }
      designs.push({
        columns: columns.slice(),
        mean: ((await vector(designTensor(d, 'voxel_mean'))) as Float32Array).slice(),
        std: ((await vector(designTensor(d, 'voxel_std'))) as Float32Array).slice(),
        center: ((await vector(designTensor(d, 'center'))) as Float32Array).slice(),
        training: weights.entries.has(training)
          ? await loadMatrix(weights, training, backend, { dtype: 'f32', signal })
          : undefined,
      });
    }
    for (const { name } of config.heads) {
      const statistics: Partial<Record<string, Float64Array>> = {};
      for (const part of STATISTICS) {
        statistics[part] = ((await vector(headTensor(name, part))) as Float64Array).slice();
      }
      heads.push({
        statistics: statistics as HeadStatistics,
        weights: await loadMatrix(weights, headTensor(name, 'weights'), backend, {
          dtype: types.get(name)!,
          signal,
        }),
      });
    }
  } catch (error) {
    disposeHeads({ designs, heads });
    throw error;
  }
  const { voxels } = model.input;
  return new RidgeHeadsDecoder(
    { config, designs, heads },
    { voxels, output: model.output },
    backend,
    [...warnings, ...notes],
    file,
  );
}
