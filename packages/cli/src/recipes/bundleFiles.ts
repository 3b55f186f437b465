import { rm, writeFile } from 'node:fs/promises';
import {
  CHUNK_BYTES,
  designTensor,
  encodeSafetensors,
  type HeadsBundle,
  headTensor,
  type PlacedMatrix,
  type SaveOptions,
  shardFile,
  smallTensors,
  writeHeadsModel,
} from '@fmri2image/core';
import { fileSource, ioError, writeFolderAtomic } from '@fmri2image/node';
import type { Context } from '../context.ts';
import type { BlockFolder } from './blockFolder.ts';
import { noting } from './published.ts';

/**
 * Makes a bundle of the weights in a work folder: its files are the folder's own, given another name. The vectors come in
 * the first one.
 *
 * @returns the content hash
 */
export async function writeHeadsBundle(
  output: string,
  bundle: HeadsBundle,
  work: BlockFolder,
  terms: SaveOptions,
  { force, console, signal }: { force: boolean } & Pick<Context, 'console' | 'signal'>,
): Promise<string> {
  await work.flush();
  const { designs, heads } = bundle.config;
  const names = [
    ...designs.map((_, d) => designTensor(d, 'training_voxels')),
    ...heads.map(({ name }) => headTensor(name, 'weights')),
  ];
  const written = names.flatMap((name) => work.matrices.find((matrix) => matrix.name === name) ?? []);
  const vectors = work.file('vectors.safetensors');
  try {
    // Of a run that was killed behind its bundle, the file is the bundle's, too: that one is not written into.
    await rm(vectors, { force: true });
    await writeFile(vectors, encodeSafetensors(smallTensors(bundle), { format: 'fmri2image-bundle' }));
  } catch (error) {
    throw ioError(error, vectors, 'write');
  }
  const paths = [vectors, ...written.flatMap(({ files }) => files.map(({ file }) => work.file(file)))];
  const nameOf = (path: string) => shardFile(paths.indexOf(path) + 1, paths.length);
  const described: Record<string, { bytes: number; chunkBytes: number; sha256: string[] }> = {};
  for (const [i, path] of paths.entries()) {
    console.progress('checksums', i / paths.length);
    const source = await fileSource(path);
    const sha256: string[] = [];
    for (let at = 0; at < source.size; at += CHUNK_BYTES) {
      sha256.push(await source.digest!(at, Math.min(CHUNK_BYTES, source.size - at), signal));
    }
    described[nameOf(path)] = { bytes: source.size, chunkBytes: CHUNK_BYTES, sha256 };
  }
  const matrices = written.map(
    ({ files, ...matrix }): PlacedMatrix => ({
      ...matrix,
      parts: files.map(({ file, rows }) => ({ file: nameOf(work.file(file)), rows })),
    }),
  );
  let hash = '';
  await writeFolderAtomic(
    output,
    async (write, adopt) => {
      for (const path of paths) await adopt(nameOf(path), path);
      const files = { small: nameOf(vectors), files: described };
      hash = await writeHeadsModel(bundle, matrices, files, noting('model.json', write, work), terms);
    },
    { force, signal, onRepair: console.warn },
  );
  return hash;
}
