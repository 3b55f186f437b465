import { F2iError } from '../../error.ts';
import { decodeElements, type ElementType, elementBytes, elementCount, type NdArray } from '../ndarray.ts';
import type { SyncSource } from '../syncSource.ts';
import {
  type Hdf5Metadata,
  type Hdf5Module,
  loadHdf5Library,
  type Mounted,
  mount,
  takePrinted,
} from './hdf5Library.ts';

/** An array of numbers in an HDF5 file. */
export interface Hdf5Dataset {
  /** Path inside the file, without the first slash: `betas`, `group/betas`. */
  readonly name: string;
  readonly dtype: ElementType;
  readonly shape: readonly number[];
  /** Names of the filters its chunks went through: `deflate`. */
  readonly filters: readonly string[];
}

/** An HDF5 file that was opened: descriptions are read, numbers are when they are asked for. */
export interface Hdf5 {
  /** Name of the file, as the user gave it. */
  readonly name: string;
  readonly datasets: ReadonlyMap<string, Hdf5Dataset>;
  /** What else is in the file, and why it is not read: texts, compounds, links out of the file. */
  readonly others: ReadonlyMap<string, string>;
  readonly groups: readonly string[];
  /** A whole dataset. */
  read(dataset: string): NdArray;
  /** The rows [start, end) of a dataset's first axis; only they (the chunks that hold them) are read. */
  readRows(dataset: string, start: number, end: number): NdArray;
  /** A block of a dataset: of each axis, the range [start, end); only the chunks that hold it are read. */
  readBlock(dataset: string, ranges: readonly (readonly [start: number, end: number])[]): NdArray;
  /** Texts and whole numbers (one each) that are attached to a dataset or a group as attributes. */
  attributes(path: string): ReadonlyMap<string, string | number>;
  /** Frees what the library holds of the file, and closes the source. Twice is fine. */
  close(): void;
}

/**
 * Opens an HDF5 file for its arrays of numbers. Reading is synchronous (the library is): keep ranges small, or run it in
 * a worker. The library (h5wasm, 4 MB) is loaded when the first file is opened.
 *
 * @throws FORMAT for what is no HDF5 file, or is damaged; UNSUPPORTED, naming the filter, for a dataset whose compression
 *   the library lacks (lzf, blosc, ...): such data are never returned as they lie
 */
export async function openHdf5(source: SyncSource): Promise<Hdf5> {
  const { name: file } = source;
  refuseOther(source);
  const library = await loadHdf5Library();
  const mounted = mount(library, source);
  let id = -1n;
  const guarded = <T>(field: string | undefined, work: () => T): T => {
    takePrinted();
    try {
      return work();
    } catch (error) {
      // What the medium said is the reason; the library only saw that a read failed.
      const failed = mounted.takeError();
      if (failed instanceof F2iError) throw failed;
      if (failed) throw new F2iError('IO', 'the file could not be read', { file, field, cause: failed });
      const cause = new Error(takePrinted() || String(error), { cause: error });
      throw new F2iError('FORMAT', 'damaged, or not as HDF5 files are', { file, field, cause });
    }
  };
  try {
    id = guarded(undefined, () => library.open(mounted.path, library.H5F_ACC_RDONLY));
    if (id < 0n) guarded(undefined, () => fail('the library cannot open it'));
    const described = guarded(undefined, () => describe(library, id));
    return new OpenHdf5(source, library, id, mounted, described, guarded);
  } catch (error) {
    if (id >= 0n) library.close_file(id);
    mounted.unmount();
    throw error;
  }
}

/** Names of filters that files of brain data use, by the numbers that the HDF Group gave them. */
const FILTERS: Readonly<Record<number, string>> = {
  1: 'deflate',
  2: 'shuffle',
  3: 'fletcher32',
  4: 'szip',
  5: 'nbit',
  6: 'scaleoffset',
  307: 'bzip2',
  32000: 'lzf',
  32001: 'blosc',
  32004: 'lz4',
  32008: 'bitshuffle',
  32013: 'zfp',
  32015: 'zstd',
  32026: 'blosc2',
};
/** Those that the library was built with. */
const READABLE_FILTERS: readonly number[] = [1, 2, 3, 5, 6];

/** DEFLATE's largest expansion. What is larger was never written, and the library would make it up from fill values. */
const MAXIMUM_EXPANSION = 1032;

interface Described {
  readonly datasets: Map<string, Hdf5Dataset & { readonly missing: readonly string[] }>;
  readonly others: Map<string, string>;
  readonly groups: string[];
}

class OpenHdf5 implements Hdf5 {
  readonly name: string;
  readonly #source: SyncSource;
  readonly #library: Hdf5Module;
  readonly #id: bigint;
  readonly #mounted: Mounted;
  readonly #described: Described;
  readonly #guarded: <T>(field: string, work: () => T) => T;
  #closed = false;

  constructor(
    source: SyncSource,
    library: Hdf5Module,
    id: bigint,
    mounted: Mounted,
    described: Described,
    guarded: <T>(field: string, work: () => T) => T,
  ) {
    this.name = source.name;
    this.#source = source;
    this.#library = library;
    this.#id = id;
    this.#mounted = mounted;
    this.#described = described;
    this.#guarded = guarded;
  }

  get datasets(): ReadonlyMap<string, Hdf5Dataset> {
    return this.#described.datasets;
  }

  get others(): ReadonlyMap<string, string> {
    return this.#described.others;
  }

  get groups(): readonly string[] {
    return this.#described.groups;
  }

  read(dataset: string): NdArray {
    const { shape } = this.#dataset(dataset);
    return this.#read(
      dataset,
      shape.map((extent) => [0, extent]),
    );
  }

  readRows(dataset: string, start: number, end: number): NdArray {
    const { shape } = this.#dataset(dataset);
    const rows = shape[0] ?? 0;
    if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= rows)) {
      throw new F2iError('INVALID_ARGUMENT', 'rows out of bounds', {
        file: this.name,
        field: dataset,
        expected: `0 <= start <= end <= ${rows}`,
        found: `[${start}, ${end})`,
      });
    }
    return this.#read(
      dataset,
      shape.map((extent, axis) => (axis === 0 ? [start, end] : [0, extent])),
    );
  }

  readBlock(dataset: string, ranges: readonly (readonly [number, number])[]): NdArray {
    const { shape } = this.#dataset(dataset);
    const inside = ranges.every(
      ([start, end], axis) =>
        Number.isInteger(start) &&
        Number.isInteger(end) &&
        0 <= start &&
        start <= end &&
        end <= (shape[axis] ?? -1),
    );
    if (!inside || ranges.length !== shape.length) {
      throw new F2iError('INVALID_ARGUMENT', 'a block out of bounds', {
        file: this.name,
        field: dataset,
        expected: `ranges in [${shape.join(', ')}]`,
        found: ranges.map(([start, end]) => `[${start}, ${end})`).join(' x '),
      });
    }
    return this.#read(dataset, ranges);
  }

  attributes(path: string): ReadonlyMap<string, string | number> {
    if (this.#closed) throw new F2iError('DISPOSED', 'the file was closed', { file: this.name });
    return this.#guarded(path, () => readAttributes(this.#library, this.#id, path));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#library.close_file(this.#id);
    this.#mounted.unmount();
    this.#source.close?.();
  }

  #dataset(name: string): Described['datasets'] extends Map<string, infer D> ? D : never {
    if (this.#closed) throw new F2iError('DISPOSED', 'the file was closed', { file: this.name });
    const dataset = this.#described.datasets.get(name);
    if (!dataset) {
      const why = this.#described.others.get(name);
      throw new F2iError(
        'FORMAT',
        why === undefined ? 'no such dataset' : `not an array of numbers: ${why}`,
        {
          file: this.name,
          field: name,
          expected: [...this.#described.datasets.keys()].slice(0, 12).join(', ') || 'a dataset',
          found: why ?? 'none',
        },
      );
    }
    if (dataset.missing.length > 0) {
      throw new F2iError(
        'UNSUPPORTED',
        'compressed by a filter that is not read; save it with gzip or none',
        {
          file: this.name,
          field: name,
          expected: READABLE_FILTERS.map((id) => FILTERS[id]).join(', '),
          found: dataset.missing.join(', '),
        },
      );
    }
    return dataset;
  }

  /** The library writes into its own memory, little-endian; a copy of that is ours. */
  #read(name: string, ranges: readonly (readonly [number, number] | number[])[]): NdArray {
    const { dtype } = this.#dataset(name);
    const shape = ranges.map(([from, to]) => to! - from!);
    const count = elementCount(shape);
    const bytes = (count ?? Number.NaN) * elementBytes(dtype);
    const place = { file: this.name, field: name };
    if (bytes === 0) return { dtype, shape, data: decodeElements(new Uint8Array(0), dtype, this.name) };
    if (bytes > MAXIMUM_EXPANSION * this.#source.size) {
      throw new F2iError('FORMAT', 'the dataset cannot be as large as stated', {
        ...place,
        expected: `at most ${MAXIMUM_EXPANSION} times the ${this.#source.size} bytes of the file`,
        found: `${bytes} bytes`,
      });
    }
    const library = this.#library;
    const pointer = bytes <= library.MAXIMUM_MEMORY ? library._malloc(bytes) : 0;
    if (!pointer) {
      throw new F2iError('OUT_OF_MEMORY', 'too large to read at once; read it by rows', {
        ...place,
        expected: `at most ${library.MAXIMUM_MEMORY} bytes`,
        found: `${bytes}`,
      });
    }
    try {
      const status = this.#guarded(name, () =>
        library.get_dataset_data(
          this.#id,
          name,
          shape.length === 0 ? null : shape.map(BigInt),
          shape.length === 0 ? null : ranges.map(([from]) => BigInt(from!)),
          shape.length === 0 ? null : shape.map(() => 1n),
          BigInt(pointer),
        ),
      );
      if (status < 0) this.#guarded(name, () => fail('the library cannot read it'));
      const raw = library.HEAPU8.slice(pointer, pointer + bytes);
      return { dtype, shape, data: decodeElements(raw, dtype, this.name) };
    } finally {
      library._free(pointer);
    }
  }
}

function fail(why: string): never {
  throw new Error(why);
}

const MARK = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

/** Whether the first bytes have the mark of HDF5 files: at their beginning, or after 512 bytes, as far as they go. */
export function isHdf5(start: Uint8Array): boolean {
  return [0, 512].some((at) => MARK.every((byte, i) => start[at + i] === byte));
}

/** HDF5 files begin with their mark, or have it at 512, 1024, 2048, ... after a block of the user's. */
function refuseOther(source: SyncSource): void {
  for (let at = 0; at + MARK.length <= source.size; at = at === 0 ? 512 : at * 2) {
    const start = source.readSync(at, MARK.length);
    if (MARK.every((byte, i) => start[i] === byte)) return;
  }
  source.close?.();
  throw new F2iError('FORMAT', 'not an HDF5 file', { file: source.name });
}

/** Everything in the file: arrays of numbers, and what else there is. */
function describe(library: Hdf5Module, id: bigint): Described {
  const found: Described = { datasets: new Map(), others: new Map(), groups: [] };
  for (const name of library.get_names(id, '/', true)) {
    const type = library.get_type(id, name);
    if (type === library.H5G_GROUP) {
      found.groups.push(name);
      continue;
    }
    if (type !== library.H5G_DATASET) {
      found.others.set(name, type === library.H5G_LINK ? 'a link that leads nowhere' : 'no dataset');
      continue;
    }
    const metadata = library.get_dataset_metadata(id, name);
    const dtype = elementTypeOf(metadata, library);
    if (dtype === undefined || !metadata.shape) {
      found.others.set(name, metadata.shape ? 'its type is no number' : 'it is empty');
    } else if (metadata.virtual_sources && metadata.virtual_sources.length > 0) {
      // Where a file of it is missing, the library would fill in zeros.
      found.others.set(name, 'its parts lie in other files (a virtual dataset)');
    } else {
      const filters = library.get_dataset_filters(id, name);
      const title = (filter: { id: number; name: string }) =>
        FILTERS[filter.id] ?? (filter.name || `${filter.id}`);
      found.datasets.set(name, {
        name,
        dtype,
        shape: metadata.shape.map(Number),
        filters: filters.map(title),
        missing: filters.filter(({ id: number }) => !READABLE_FILTERS.includes(number)).map(title),
      });
    }
  }
  return found;
}

/** Longest attribute that is looked at. */
const LONGEST_ATTRIBUTE = 4096;

function readAttributes(library: Hdf5Module, id: bigint, path: string): Map<string, string | number> {
  const found = new Map<string, string | number>();
  const { H5T_INTEGER: integer, H5T_STRING: text } = library.H5T_class_t;
  for (const name of library.get_attribute_names(id, path)) {
    const {
      type,
      size,
      signed,
      shape,
      total_size: count,
      vlen,
    } = library.get_attribute_metadata(id, path, name);
    const isKnown = type === text.value || (type === integer.value && [1, 2, 4, 8].includes(size));
    if (!isKnown || vlen || !shape || count !== 1 || size > LONGEST_ATTRIBUTE) continue;
    const pointer = library._malloc(size);
    try {
      if (library.get_attribute_data(id, path, name, BigInt(pointer)) < 0) fail('the library cannot read it');
      const bytes = library.HEAPU8.slice(pointer, pointer + size);
      if (type === text.value) found.set(name, new TextDecoder().decode(bytes).replace(/\0.*$/s, ''));
      else {
        const whole = bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
        found.set(name, Number(signed ? BigInt.asIntN(8 * size, whole) : whole));
      }
    } finally {
      library._free(pointer);
    }
  }
  return found;
}

function elementTypeOf(
  metadata: Hdf5Metadata,
  { H5T_class_t: classes }: Hdf5Module,
): ElementType | undefined {
  const { type, size, signed, enum_type: values } = metadata;
  if (type === classes.H5T_FLOAT.value) return ({ 2: 'f16', 4: 'f32', 8: 'f64' } as const)[size];
  if (type === classes.H5T_INTEGER.value) {
    const bits = { 1: 8, 2: 16, 4: 32, 8: 64 }[size];
    return bits === undefined ? undefined : (`${signed ? 'i' : 'u'}${bits}` as ElementType);
  }
  // Booleans of h5py.
  const members = values?.members;
  const isBoolean = size === 1 && members?.FALSE === 0 && members?.TRUE === 1;
  return type === classes.H5T_ENUM.value && isBoolean ? 'bool' : undefined;
}
