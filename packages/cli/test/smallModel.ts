import { convertedModel, convertibleSchema, matchWeights, writeWeights } from '@fmri2image/core';
import { randomModel } from '@fmri2image/core/conformance';
import { writeFolderAtomic } from '@fmri2image/node';

/** MindEye2 at sizes of a toy: 12 voxels, 3 tokens of 8. */
export const SMALL_MINDEYE2 = {
  extents: new Map(
    Object.entries({
      h: 6,
      'voxels[0]': 12,
      seq: 1,
      tokens: 3,
      clip: 8,
      blurChannels: 64,
      top: 96,
      middle: 64,
      narrow: 32,
      latent: 4,
      maps: 5,
      mapsOut: 10,
      buckets: 32,
      rotary: 16,
      heads: 2,
      headDim: 36,
      inner: 11,
      timeInner: 13,
    }),
  ),
  counts: new Map(Object.entries({ subject: 1, block: 2, layer: 2 })),
  groups: new Set(['blurry', 'prior']),
};

/** Writes a bundle of random weights, as `convert` does. */
export async function writeSmallModel(path: string, seed = 1): Promise<string> {
  const schema = convertibleSchema('mindeye2');
  const source = randomModel(schema, SMALL_MINDEYE2, { seed });
  const matched = matchWeights(source, schema);
  let hash = '';
  await writeFolderAtomic(path, async (write) => {
    hash = await writeWeights(source, matched, convertedModel(source, matched, 'f32'), write, {
      dtype: 'f32',
    });
  });
  return hash;
}
