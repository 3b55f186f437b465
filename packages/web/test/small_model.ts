import {
  convertedModel,
  convertibleSchema,
  createRandom,
  createReferenceBackend,
  loadLocally,
  matchWeights,
  memoryFolder,
  writeWeights,
} from '@fmri2image/core';
import { randomModel } from '@fmri2image/core/conformance';

const SIZES = {
  extents: new Map(
    Object.entries({
      h: 6,
      'voxels[0]': 12,
      seq: 1,
      tokens: 3,
      clip: 8,
      blurChannels: 64,
      top: 32,
      middle: 32,
      narrow: 32,
      latent: 4,
      maps: 5,
      mapsOut: 10,
    }),
  ),
  counts: new Map(Object.entries({ subject: 1, block: 2 })),
  groups: new Set(['blurry']),
};

/** MindEye2 at sizes of a toy, with random weights in several files; betas, and the tokens that the reference makes of them. */
export async function smallModel() {
  const schema = convertibleSchema('mindeye2');
  const source = randomModel(schema, SIZES);
  const matched = matchWeights(source, schema);
  const files = new Map<string, Uint8Array>();
  await writeWeights(
    source,
    matched,
    convertedModel(source, matched, 'f32'),
    async (name, content) => {
      const pieces: Uint8Array[] = [];
      if (typeof content === 'string') pieces.push(new TextEncoder().encode(content));
      else if (content instanceof Uint8Array) pieces.push(content);
      else for await (const piece of content) pieces.push(piece.slice());
      files.set(name, Uint8Array.from(Buffer.concat(pieces)));
    },
    { dtype: 'f32', shardBytes: 400_000 },
  );
  const betas = { data: Float32Array.from(createRandom(4).normals(24)), shape: [2, 12] };
  const decoder = await loadLocally(memoryFolder(files, 'small'), {
    openBackend: async () => createReferenceBackend(),
  });
  const tokens = await decoder.predict(betas);
  await decoder.dispose();
  return { files, betas, tokens };
}
