import { expect, it } from 'vitest';
import { randomModel } from '../conformance/index.ts';
import {
  convertedModel,
  createRandom,
  matchWeights,
  memoryFolder,
  type OpSpec,
  openBundle,
  ReferenceBackend,
  writeWeights,
} from '../src/index.ts';
import { mindeye2 } from '../src/weights/schemas/index.ts';
import { sizes } from './weights/sizes.ts';

/** Notes which ops are compiled ahead, and which run. */
class Noting extends ReferenceBackend {
  readonly prepared = new Set<string>();
  readonly run = new Set<string>();

  override async prepare(ops: readonly OpSpec[]): Promise<void> {
    for (const { name } of ops) this.prepared.add(name);
  }

  override enqueue(...call: Parameters<ReferenceBackend['enqueue']>) {
    this.run.add(call[0].name);
    return super.enqueue(...call);
  }
}

const SIZES = sizes(
  {
    ...{ h: 6, 'voxels[0]': 12, seq: 1, tokens: 3, clip: 8, latent: 4, maps: 5, mapsOut: 10 },
    ...{ blurChannels: 64, top: 32, middle: 32, narrow: 32 },
  },
  { subject: 1, block: 2 },
  ['blurry'],
);

async function folder() {
  const source = randomModel(mindeye2, SIZES);
  const matched = matchWeights(source, mindeye2);
  const files = new Map<string, Uint8Array>();
  const write = async (path: string, content: unknown) => {
    const pieces: Uint8Array[] = [];
    if (typeof content === 'string') pieces.push(new TextEncoder().encode(content));
    else if (content instanceof Uint8Array) pieces.push(content);
    else for await (const piece of content as AsyncIterable<Uint8Array>) pieces.push(piece.slice());
    files.set(path, new Uint8Array(Buffer.concat(pieces)));
  };
  await writeWeights(source, matched, convertedModel(source, matched, 'f32'), write, { dtype: 'f32' });
  return memoryFolder(files, 'model');
}

it.each(['tokens', 'blurry'])(
  'compiles ahead what the stage %s runs, and no branch that it does not',
  async (stage) => {
    const backend = new Noting();
    const decoder = await openBundle(await folder(), { backend, stage });
    await decoder.prepare!();
    const { voxels } = decoder;
    await decoder.predict({ data: Float32Array.from(createRandom(3).normals(voxels)), shape: [1, voxels] });
    // Of elementwise ops there are many, small ones: the few that are used are compiled when they are.
    backend.run.delete('elementwise');
    expect([...backend.run].filter((name) => !backend.prepared.has(name))).toEqual([]);
    // The branch of blurry pictures has most shaders by far.
    expect(backend.prepared.has('conv2d')).toBe(stage === 'blurry');
    decoder.dispose();
    await backend.dispose();
  },
);
