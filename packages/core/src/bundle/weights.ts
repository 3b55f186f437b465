import { openSafetensors, type Safetensors } from '../data/formats/safetensors.ts';
import { type ElementArray, elementBytes, elementCount } from '../data/ndarray.ts';
import type { Folder } from '../data/source.ts';
import type { LoadProgress } from '../decoders/loaded.ts';
import { F2iError } from '../error.ts';
import { type WeightEntry, type WeightPlace, type WeightSource, weightSource } from '../weights/source.ts';
import { CHUNK_BYTES } from './hash.ts';
import { type BundleModel, MODEL_FILE, type TensorDescription, WEIGHTS_FILE } from './schema.ts';
import { type VerifiedSource, verifiedSource } from './verifiedSource.ts';

export interface BundleWeights {
  readonly weights: WeightSource;
  /** Verifies what has not been read. */
  complete(signal?: AbortSignal): Promise<void>;
}

interface OpenFile {
  readonly verified: VerifiedSource;
  readonly tensors: Safetensors;
}

/** Opens the files of a bundle and holds their headers against what `model.json` says of each tensor. */
export async function bundleWeights(
  folder: Folder,
  model: BundleModel,
  {
    signal,
    onProgress,
  }: { signal?: AbortSignal | undefined; onProgress?: ((progress: LoadProgress) => void) | undefined },
): Promise<BundleWeights> {
  const files = new Map<string, OpenFile>();
  const report = summed(model, onProgress);
  for (const [name, declared] of Object.entries(model.files)) {
    const chunks = Math.max(1, Math.ceil(declared.bytes / CHUNK_BYTES));
    if (declared.sha256.length !== chunks) {
      throw new F2iError('FORMAT', 'one checksum for each 64 MiB', {
        file: `${folder.name}/${MODEL_FILE}`,
        field: `files.${name}.sha256`,
        expected: `${chunks}`,
        found: `${declared.sha256.length}`,
      });
    }
    const verified = verifiedSource(await folder.open(name), declared, report(name));
    files.set(name, { verified, tensors: await openSafetensors(verified, signal) });
  }
  const entries = checkTensors(model, files, `${folder.name}/${MODEL_FILE}`);
  let current: OpenFile | undefined;
  const weights = weightSource({
    name: folder.name,
    format: 'bundle',
    entries,
    async readElements(name, start, end, readSignal) {
      const described = model.tensors[name]!;
      const rowSize = elementCount(described.shape.slice(1))!;
      const pieces: ElementArray[] = [];
      let before = 0;
      for (const { file, rows } of partsOf(described)) {
        const [from, to] = [Math.max(start, before), Math.min(end, before + rows * rowSize)];
        const open = files.get(file)!;
        if (from < to || (start === end && before === 0)) {
          // One chunk of one file is kept, whatever the number of files.
          if (current !== open) current?.verified.release();
          current = open;
          pieces.push(
            await open.tensors.readElements(name, from - before, Math.max(from, to) - before, readSignal),
          );
        }
        before += rows * rowSize;
      }
      return pieces.length === 1 ? pieces[0]! : joined(pieces);
    },
    locate(name) {
      const places: WeightPlace[] = [];
      for (const { file, rows } of partsOf(model.tensors[name]!)) {
        const { verified, tensors } = files.get(file)!;
        if (verified.path === undefined) return undefined;
        const { offset, byteLength } = tensors.entries.get(name)!;
        places.push({ path: verified.path, offset, byteLength, rows });
      }
      return places;
    },
    async verify({ path, offset, byteLength }, verifySignal) {
      const open = [...files.values()].find(({ verified }) => verified.path === path);
      await open!.verified.verify(offset, byteLength, verifySignal);
    },
  });
  return {
    weights,
    async complete(readSignal) {
      for (const { verified } of files.values()) {
        await verified.complete(readSignal);
        verified.release();
      }
    },
  };
}

/** Parts of a tensor, in order. */
function partsOf({
  parts,
  shape,
}: TensorDescription): readonly { readonly file: string; readonly rows: number }[] {
  return parts ?? [{ file: WEIGHTS_FILE, rows: shape[0] ?? 1 }];
}

/** What the files hold is what `model.json` says, tensor by tensor, and nothing else. */
function checkTensors(
  model: BundleModel,
  files: ReadonlyMap<string, OpenFile>,
  modelFile: string,
): Map<string, WeightEntry> {
  const entries = new Map<string, WeightEntry>();
  const claimed = new Map([...files.keys()].map((file) => [file, new Set<string>()]));
  for (const [name, described] of Object.entries(model.tensors)) {
    const { dtype, shape } = described;
    const parts = partsOf(described);
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    if (rows !== (shape[0] ?? 1) || new Set(parts.map(({ file }) => file)).size !== parts.length) {
      throw new F2iError('FORMAT', 'the parts of a tensor are not the whole of it', {
        file: modelFile,
        field: `tensors.${name}.parts`,
        expected: `${shape[0] ?? 1} rows, each file once`,
        found: `${rows} rows in ${parts.map(({ file }) => file).join(', ')}`,
      });
    }
    for (const part of parts) {
      const open = files.get(part.file);
      if (!open) {
        throw new F2iError('FORMAT', 'a tensor lies in a file that the bundle does not list', {
          file: modelFile,
          field: `tensors.${name}`,
          expected: [...files.keys()].join(', '),
          found: part.file,
        });
      }
      const partShape = shape.length === 0 ? [] : [part.rows, ...shape.slice(1)];
      disagreement(open, name, { dtype, shape: partShape });
      claimed.get(part.file)!.add(name);
    }
    const byteLength = elementCount(shape)! * elementBytes(dtype);
    entries.set(name, { name, dtype, shape, byteLength });
  }
  for (const [file, open] of files) {
    for (const name of open.tensors.entries.keys())
      if (!claimed.get(file)!.has(name)) disagreement(open, name, undefined);
  }
  return entries;
}

function disagreement(
  { verified, tensors }: OpenFile,
  name: string,
  said: { dtype: string; shape: readonly number[] } | undefined,
): void {
  const describe = (spec: { dtype: string; shape: readonly number[] } | undefined) =>
    spec ? `${spec.dtype} [${spec.shape.join(', ')}]` : 'none';
  const found = tensors.entries.get(name);
  if (describe(found) === describe(said)) return;
  throw new F2iError('FORMAT', 'model.json and the weights disagree on a tensor', {
    file: verified.name,
    field: name,
    expected: describe(said),
    found: describe(found),
  });
}

function joined(pieces: readonly ElementArray[]): ElementArray {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const all = new (pieces[0]!.constructor as new (n: number) => Float32Array)(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece as Float32Array, at);
    at += piece.length;
  }
  return all;
}

/** Progress over all files from that of each. */
function summed(
  model: BundleModel,
  onProgress: ((progress: LoadProgress) => void) | undefined,
): (file: string) => ((progress: LoadProgress) => void) | undefined {
  const total = Object.values(model.files).reduce((sum, { bytes }) => sum + bytes, 0);
  const done = new Map<string, number>();
  return (file) =>
    onProgress &&
    ((progress) => {
      done.set(`${progress.phase} ${file}`, progress.done);
      let sum = 0;
      for (const [key, bytes] of done) if (key.startsWith(`${progress.phase} `)) sum += bytes;
      onProgress({ phase: progress.phase, done: sum, total });
    });
}
