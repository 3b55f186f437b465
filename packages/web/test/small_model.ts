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

/** @param voxels of each subject */
const sizes = (voxels: readonly number[]) => ({
  extents: new Map(
    Object.entries({
      h: 6,
      ...Object.fromEntries(voxels.map((count, i) => [`voxels[${i}]`, count])),
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
  counts: new Map(Object.entries({ subject: voxels.length, block: 2 })),
  groups: new Set(['blurry']),
});

/**
 * MindEye2 at sizes of a toy, with random weights in several files; betas of its last subject, and the tokens that the
 * reference makes of them.
 *
 * @param subjects voxels of each
 */
export async function smallModel(subjects: readonly number[] = [12]) {
  const schema = convertibleSchema('mindeye2');
  const source = randomModel(schema, sizes(subjects));
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
  const subject = subjects.length - 1;
  const voxels = subjects[subject]!;
  const betas = { data: Float32Array.from(createRandom(4).normals(2 * voxels)), shape: [2, voxels] };
  const decoder = await loadLocally(memoryFolder(files, 'small'), {
    openBackend: async () => createReferenceBackend(),
    subject,
  });
  const tokens = await decoder.predict(betas);
  await decoder.dispose();
  return { files, betas, tokens };
}
