import { createRandom } from '../random.ts';
import { expectedWeights } from '../weights/schema.ts';
import { mindeye2 } from '../weights/schemas/index.ts';
import { type WeightSource, weightSource } from '../weights/source.ts';
import type { SharedModel } from './sharedModel.ts';

/**
 * A shared model under MindEye2's names, with a mixer that is inert (as the published one) and a projector of random
 * weights: a checkpoint that knows something, to try commands with. Features are `tokens` rows of `clip` values.
 *
 * @param seed of what is random
 */
export function mindeye2Checkpoint(
  { h, layers, backbone }: SharedModel,
  tokens: number,
  seed: number,
): WeightSource {
  const clip = backbone.bias.length / tokens;
  const extents = new Map([
    ['h', h],
    ['seq', 1],
    ['tokens', tokens],
    ['clip', clip],
    ...layers.map(({ weight }, s) => [`voxels[${s}]`, weight.length / h] as const),
  ]);
  const counts = new Map([
    ['subject', layers.length],
    ['block', 1],
  ]);
  const random = createRandom(seed);
  const known = new Map<string, Float32Array>([
    ['backbone.backbone_linear.weight', backbone.weight],
    ['backbone.backbone_linear.bias', backbone.bias],
    ...layers.flatMap(({ weight, bias }, s): [string, Float32Array][] => [
      [`ridge.linears.${s}.weight`, weight],
      [`ridge.linears.${s}.bias`, bias],
    ]),
  ]);
  const held = new Map(
    expectedWeights(mindeye2, { extents, counts, groups: new Set() }).map(({ name, shape }) => {
      const size = shape.reduce((product, extent) => product * extent, 1);
      // The last layer over positions adds nothing: latents reach the backbone as they are.
      const inert = name.startsWith('backbone.mixer_blocks2') && name.includes('.1.3.');
      const scale = inert ? 0 : 1 / Math.sqrt(shape.at(-1)!);
      const data = known.get(name) ?? Float32Array.from(random.normals(size), (value) => value * scale);
      return [name, { shape, data }] as const;
    }),
  );
  return weightSource({
    name: 'simulated model',
    format: 'safetensors',
    entries: new Map(
      [...held].map(([name, { shape, data }]) => [
        name,
        { name, dtype: 'f32' as const, shape, byteLength: data.byteLength },
      ]),
    ),
    readElements: async (name, start, end) => held.get(name)!.data.subarray(start, end),
  });
}
