import { isPickle, isPth, openPth } from '../data/formats/pth/index.ts';
import { openSafetensors, type Safetensors } from '../data/formats/safetensors.ts';
import { parseJson } from '../data/json.ts';
import { elementCount } from '../data/ndarray.ts';
import { type Folder, readText, relativePath, type Source } from '../data/source.ts';
import { F2iError } from '../error.ts';
import { mergeWeights, type WeightSource, weightSource } from './source.ts';

/**
 * Opens the weights in a file: a checkpoint of PyTorch (`.pth`, `.pt`, `.ckpt`, `.bin`) or safetensors, told apart by
 * their content.
 *
 * @throws FORMAT for a file that is none of these, telling how it begins, and as their readers; UNSUPPORTED, IO
 */
export async function openWeights(source: Source, signal?: AbortSignal): Promise<WeightSource> {
  const start = await source.read(0, Math.min(64, source.size), signal);
  // Before pickles: the length of a header may begin with a pickle's two bytes.
  if (isSafetensors(start, source.name)) return safetensorsWeights(await openSafetensors(source, signal));
  if (!(await isPth(source, signal)) && !isPickle(start)) {
    throw new F2iError('FORMAT', 'not a file of weights', {
      file: source.name,
      expected: 'a zip of torch.save, its older format (before torch 1.6), or safetensors',
      found: firstBytes(start),
    });
  }
  const { entries, readElements } = await openPth(source, signal);
  return weightSource({ name: source.name, format: 'pth', entries, readElements });
}

/** A header of less than 2^48 bytes that is an object; a file so named is one that was damaged, if nothing else. */
function isSafetensors(start: Uint8Array, name: string): boolean {
  return name.endsWith('.safetensors') || (start[6] === 0 && start[7] === 0 && start[8] === 0x7b);
}

/** `"# fmri2i" (23 20 66 6d 72 69 32 69)` */
function firstBytes(start: Uint8Array): string {
  if (start.length === 0) return 'an empty file';
  const first = [...start.subarray(0, 8)];
  const hex = first.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const isText = first.every((byte) => byte >= 0x20 && byte < 0x7f);
  return `a file that begins with ${isText ? `"${String.fromCharCode(...first)}" (${hex})` : hex}`;
}

/** The tensors of a safetensors file that was opened. */
function safetensorsWeights({ source, entries, readElements }: Safetensors): WeightSource {
  return weightSource({ name: source.name, format: 'safetensors', entries, readElements });
}

const MAXIMUM_INDEX_BYTES = 64 * 2 ** 20;

/**
 * Opens safetensors in several files, by the index that lists which tensor lies in which of them
 * (`model.safetensors.index.json`, as Hugging Face writes it). Files are those of the index's own folder.
 *
 * @throws FORMAT for an index that disagrees with the files, naming the tensor
 */
export async function openShardedWeights(
  folder: Folder,
  path: string,
  signal?: AbortSignal,
): Promise<WeightSource> {
  const index = await folder.open(path);
  const file = index.name;
  if (index.size > MAXIMUM_INDEX_BYTES) {
    const expected = `at most ${MAXIMUM_INDEX_BYTES} bytes`;
    throw new F2iError('FORMAT', 'too large for an index', { file, expected, found: `${index.size}` });
  }
  const places = weightMap(parseJson(await readText(index, signal), file), file);
  const beside = path.includes('/') ? `${path.slice(0, path.lastIndexOf('/'))}/` : '';
  const shards: WeightSource[] = [];
  for (const name of new Set(places.values())) {
    shards.push(safetensorsWeights(await openSafetensors(await folder.open(`${beside}${name}`), signal)));
    const held = shards.at(-1)!.entries;
    const claimed = [...places].filter(([, shard]) => shard === name).map(([weight]) => weight);
    const missing = claimed.find((weight) => !held.has(weight));
    const extra = [...held.keys()].find((weight) => places.get(weight) !== name);
    if (missing === undefined && extra === undefined) continue;
    throw new F2iError('FORMAT', 'the index and a file disagree on where a tensor is', {
      file,
      field: missing ?? extra,
      expected: missing === undefined ? `${places.get(extra!) ?? 'nowhere'}` : name,
      found: missing === undefined ? name : 'not in it',
    });
  }
  return mergeWeights(shards, file);
}

function weightMap(index: unknown, file: string): Map<string, string> {
  const map = (index as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw new F2iError('FORMAT', 'not an index of safetensors', {
      file,
      field: 'weight_map',
      expected: 'an object',
    });
  }
  return new Map(
    Object.entries(map).map(([weight, name]) => {
      if (typeof name !== 'string') {
        throw new F2iError('FORMAT', 'not the name of a file', { file, field: `weight_map.${weight}` });
      }
      return [weight, relativePath(name, file, `weight_map.${weight}`)];
    }),
  );
}

/** Numbers in all, of the tensors whose names are given. */
export function countParameters(
  source: WeightSource,
  names: Iterable<string> = source.entries.keys(),
): number {
  let count = 0;
  for (const name of names) count += elementCount(source.entries.get(name)!.shape)!;
  return count;
}
