import { CHUNK_BYTES, sha256 } from '../bundle/hash.ts';
import { type ModelFields, type SaveOptions, writeModel } from '../bundle/save.ts';
import { shardFile, WEIGHTS_FILE } from '../bundle/schema.ts';
import { safetensorsHeader } from '../data/formats/safetensors.ts';
import { elementBytes, elementCount, encodeElements } from '../data/ndarray.ts';
import type { WriteFile } from '../data/source.ts';
import { F2iError, throwIfAborted } from '../error.ts';
import type { MatchedWeight, MatchedWeights } from './match.ts';
import { roundElements, type WeightType } from './round.ts';
import { streamWeight, type WeightSource } from './source.ts';

/** Files of a bundle stay below 1 GiB, header included. */
const SHARD_BYTES = 2 ** 30 - 2 ** 20;

export interface ConvertOptions extends SaveOptions {
  /** Type of matrices and convolutions; vectors (biases, gains) and tables stay f32: they cost nothing. */
  dtype: WeightType;
  signal?: AbortSignal | undefined;
  /** Bytes that were written, of all. */
  onProgress?: ((done: number, total: number) => void) | undefined;
  /** Largest size of a file's tensors; for tests. */
  shardBytes?: number | undefined;
}

/** What a bundle of converted weights says beside its tensors. */
export type ConvertedModel = Omit<ModelFields, 'tensors' | 'files'>;

/** Rows of one tensor in one file. */
interface Piece {
  readonly weight: MatchedWeight;
  readonly dtype: WeightType;
  readonly start: number;
  readonly end: number;
}

/**
 * Writes the weights of a model as a bundle (docs/bundle.md, version 2): a file or several below 1 GiB, large tensors
 * split by rows. Numbers stream through in pieces of some MiB; memory does not grow with the model.
 *
 * @returns the content hash of the bundle
 * @throws FORMAT for a weight that is not finite, or beyond the type; UNSUPPORTED for a row larger than a file
 */
export async function writeWeights(
  source: WeightSource,
  matched: MatchedWeights,
  model: ConvertedModel,
  write: WriteFile,
  { dtype, signal, onProgress, shardBytes = SHARD_BYTES, ...options }: ConvertOptions,
): Promise<string> {
  const shards = plan([...matched.weights.values()], dtype, shardBytes, source.name);
  const total = shards.flat().reduce((sum, piece) => sum + bytesOf(piece), 0);
  const chunk = new Uint8Array(CHUNK_BYTES);
  let done = 0;
  const files: Record<string, { bytes: number; chunkBytes: number; sha256: string[] }> = {};
  for (const [index, pieces] of shards.entries()) {
    const name = shards.length === 1 ? WEIGHTS_FILE : shardFile(index + 1, shards.length);
    const hashes = new ChunkHashes(chunk);
    async function* content() {
      for await (const bytes of contentOf(source, pieces, model.kind, signal)) {
        await hashes.add(bytes);
        yield bytes;
        done += bytes.length;
        onProgress?.(Math.min(done, total), total);
      }
    }
    await write(name, content());
    files[name] = { bytes: hashes.bytes, chunkBytes: CHUNK_BYTES, sha256: await hashes.end() };
  }
  const tensors = describe(shards);
  return writeModel({ ...model, tensors, files }, write, { version: 2, ...options });
}

/** Matrices and kernels of convolutions; vectors and tables stay f32. */
export const isRounded = ({ stored, table }: MatchedWeight): boolean => stored.shape.length > 1 && !table;

const rowsOf = ({ shape }: { shape: readonly number[] }) => shape[0] ?? 1;
const rowElements = ({ shape }: { shape: readonly number[] }) => elementCount(shape.slice(1))!;
const bytesOf = ({ weight, dtype, start, end }: Piece) =>
  (end - start) * rowElements(weight.stored) * elementBytes(dtype);

/** Which rows go into which file: in order, a new file where the next piece would not fit. */
function plan(weights: readonly MatchedWeight[], dtype: WeightType, limit: number, file: string): Piece[][] {
  const shards: Piece[][] = [[]];
  let used = 0;
  for (const weight of weights) {
    const type = isRounded(weight) ? dtype : 'f32';
    const rowBytes = rowElements(weight.stored) * elementBytes(type);
    if (rowBytes > limit) {
      throw new F2iError('UNSUPPORTED', 'one row of a tensor is larger than a file of a bundle', {
        file,
        field: weight.stored.name,
        expected: `at most ${limit} bytes`,
        found: `${rowBytes}`,
      });
    }
    const rows = rowsOf(weight.stored);
    const most = rowBytes === 0 ? rows : Math.floor(limit / rowBytes);
    for (let start = 0; start < Math.max(rows, 1); start += Math.max(most, 1)) {
      const piece = { weight, dtype: type, start, end: Math.min(rows, start + most) } as const;
      if (used + bytesOf(piece) > limit && shards.at(-1)!.length > 0) {
        shards.push([]);
        used = 0;
      }
      shards.at(-1)!.push(piece);
      used += bytesOf(piece);
    }
  }
  return shards;
}

/** The bytes of a safetensors file, as they are read and rounded. */
async function* contentOf(
  source: WeightSource,
  pieces: readonly Piece[],
  kind: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const specs = pieces.map((piece) => ({
    name: piece.weight.name,
    dtype: piece.dtype,
    shape: shapeOf(piece),
  }));
  yield safetensorsHeader(specs, { format: 'fmri2image-bundle', kind });
  for (const { weight, dtype, start, end } of pieces) {
    const { name, dtype: from } = weight.stored;
    const size = rowElements(weight.stored);
    let first = start * size;
    for await (const data of streamWeight(source, name, { start: first, end: end * size, signal })) {
      throwIfAborted(signal, `converting ${source.name}`);
      yield encodeElements(roundElements(data, from, dtype, { file: source.name, field: name, first }));
      first += data.length;
    }
  }
}

function shapeOf({ weight, start, end }: Piece): readonly number[] {
  const { shape } = weight.stored;
  return shape.length === 0 ? [] : [end - start, ...shape.slice(1)];
}

/** Entries of `model.json`: each tensor, and where its rows are if there are several files. */
function describe(shards: readonly (readonly Piece[])[]): Record<string, object> {
  const tensors: Record<
    string,
    { dtype: string; shape: readonly number[]; meaning: string; parts: object[] }
  > = {};
  for (const [index, pieces] of shards.entries()) {
    for (const { weight, dtype, start, end } of pieces) {
      tensors[weight.name] ??= { dtype, shape: weight.stored.shape, meaning: weight.meaning, parts: [] };
      tensors[weight.name]!.parts.push({ file: shardFile(index + 1, shards.length), rows: end - start });
    }
  }
  if (shards.length > 1) return tensors;
  return Object.fromEntries(Object.entries(tensors).map(([name, { parts: _, ...rest }]) => [name, rest]));
}

/** Hashes of the successive 64 MiB of a file that comes in pieces. */
class ChunkHashes {
  bytes = 0;
  readonly #chunk: Uint8Array;
  readonly #hashes: string[] = [];

  /** @param chunk room for one chunk, which files written one after the other may share */
  constructor(chunk: Uint8Array) {
    this.#chunk = chunk;
  }

  async add(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length; ) {
      const used = this.bytes % CHUNK_BYTES;
      const part = piece.subarray(at, at + CHUNK_BYTES - used);
      this.#chunk.set(part, used);
      this.bytes += part.length;
      at += part.length;
      if (this.bytes % CHUNK_BYTES === 0) this.#hashes.push(await sha256(this.#chunk));
    }
  }

  async end(): Promise<string[]> {
    const rest = this.bytes % CHUNK_BYTES;
    if (rest > 0 || this.bytes === 0) this.#hashes.push(await sha256(this.#chunk.subarray(0, rest)));
    return this.#hashes;
  }
}
