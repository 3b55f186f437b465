import type { ElementArray, ElementType, NdArray } from '../data/ndarray.ts';
import { elementBytes, elementCount } from '../data/ndarray.ts';
import { F2iError } from '../error.ts';

/** A tensor of a trained model, as its file describes it. */
export interface WeightEntry {
  readonly name: string;
  readonly dtype: ElementType;
  readonly shape: readonly number[];
  /** Of its elements in a row. */
  readonly byteLength: number;
}

/**
 * Named tensors of a trained model, wherever they lie: a checkpoint of PyTorch, safetensors in one file or several, a
 * bundle. Opening reads descriptions alone; numbers are read when they are asked for.
 */
export interface WeightSource {
  /** Name of the file or folder, as the user gave it. */
  readonly name: string;
  readonly format: 'pth' | 'safetensors' | 'bundle';
  /** By name, in the order of the file. */
  readonly entries: ReadonlyMap<string, WeightEntry>;
  /** A whole tensor. Throws FORMAT when there is none of that name. */
  read(name: string, signal?: AbortSignal): Promise<NdArray>;
  /** The rows [start, end) of a tensor's first axis; only they are read. */
  readRows(name: string, start: number, end: number, signal?: AbortSignal): Promise<NdArray>;
  /** Elements [start, end), counted row-major over the shape; only they are read. */
  readElements(name: string, start: number, end: number, signal?: AbortSignal): Promise<ElementArray>;
  /** Where the rows of a tensor lie on disk, in order; undefined where they cannot be used as they lie. */
  locate?(name: string): readonly WeightPlace[] | undefined;
  /**
   * Holds the bytes at a place against their checksums, where there are any. They are not kept, so the file must not
   * change while it is mapped.
   */
  verify?(place: WeightPlace, signal?: AbortSignal): Promise<void>;
}

/** Rows of a tensor in a file on disk: little-endian, of the stored type, one behind the other. */
export interface WeightPlace {
  readonly path: string;
  /** First byte in the file. */
  readonly offset: number;
  readonly byteLength: number;
  readonly rows: number;
}

/** What a format provides; the rest is the same for all. */
export type WeightReader = Pick<
  WeightSource,
  'name' | 'format' | 'entries' | 'readElements' | 'locate' | 'verify'
>;

export function weightSource(reader: WeightReader): WeightSource {
  const { name, format, entries, readElements, locate, verify } = reader;
  const entryOf = (weight: string): WeightEntry => {
    const entry = entries.get(weight);
    if (entry) return entry;
    throw new F2iError('FORMAT', 'no such tensor', {
      file: name,
      field: weight,
      expected: `one of ${[...entries.keys()].slice(0, 12).join(', ')}${entries.size > 12 ? ` (${entries.size} in all)` : ''}`,
    });
  };
  const checkRange = (weight: string, what: string, start: number, end: number, count: number) => {
    if (Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= count)
      return;
    throw new F2iError('INVALID_ARGUMENT', `${what} out of bounds`, {
      file: name,
      field: weight,
      expected: `0 <= start <= end <= ${count}`,
      found: `[${start}, ${end})`,
    });
  };
  return {
    name,
    format,
    entries,
    ...(locate && { locate }),
    ...(verify && { verify }),
    async read(weight, signal) {
      const { dtype, shape } = entryOf(weight);
      return { dtype, shape, data: await readElements(weight, 0, elementCount(shape)!, signal) };
    },
    async readRows(weight, start, end, signal) {
      const { dtype, shape } = entryOf(weight);
      const [rows = 0, ...rest] = shape;
      checkRange(weight, 'rows', start, end, rows);
      const size = elementCount(rest)!;
      const data = await readElements(weight, start * size, end * size, signal);
      return { dtype, shape: [end - start, ...rest], data };
    },
    async readElements(weight, start, end, signal) {
      checkRange(weight, 'elements', start, end, elementCount(entryOf(weight).shape)!);
      return readElements(weight, start, end, signal);
    },
  };
}

/** Several sources as one; no two may hold a tensor of the same name. */
export function mergeWeights(sources: readonly WeightSource[], name = sources[0]?.name ?? ''): WeightSource {
  const entries = new Map<string, WeightEntry>();
  const owner = new Map<string, WeightSource>();
  for (const source of sources) {
    for (const entry of source.entries.values()) {
      const other = owner.get(entry.name);
      if (other) {
        throw new F2iError('FORMAT', 'two files hold a tensor of the same name', {
          file: source.name,
          field: entry.name,
          found: `also in ${other.name}`,
        });
      }
      owner.set(entry.name, source);
      entries.set(entry.name, entry);
    }
  }
  return weightSource({
    name,
    format: sources[0]?.format ?? 'safetensors',
    entries,
    readElements: (weight, ...rest) => owner.get(weight)!.readElements(weight, ...rest),
  });
}

/** Pieces in which large tensors are read. */
const PIECE_BYTES = 8 * 2 ** 20;

/** The elements of a tensor from first to last, in pieces of some 8 MiB. */
export async function* streamWeight(
  source: WeightSource,
  name: string,
  { signal, start = 0, end }: { signal?: AbortSignal | undefined; start?: number; end?: number } = {},
): AsyncGenerator<ElementArray> {
  const { dtype, shape } = source.entries.get(name)!;
  const last = end ?? elementCount(shape)!;
  const step = PIECE_BYTES / elementBytes(dtype);
  for (let at = start; at < last; at += step) {
    yield await source.readElements(name, at, Math.min(at + step, last), signal);
  }
}
