import { F2iError } from '../../error.ts';
import { decodeElements, type ElementType, elementBytes, elementCount, type NdArray } from '../ndarray.ts';
import type { SyncSource } from '../syncSource.ts';
import {
  type Described,
  describe,
  FILTERS,
  READABLE_FILTERS,
  readAttributes,
  type StoredDataset,
} from './hdf5Describe.ts';
import {
  giveUpIfBroken,
  type Hdf5Module,
  loadHdf5Library,
  type Mounted,
  mount,
  takePrinted,
} from './hdf5Library.ts';
import { refuseTruncated } from './hdf5Superblock.ts';

/** An array of numbers in an HDF5 file. */
export interface Hdf5Dataset {
  /** Path inside the file, without the first slash: `betas`, `group/betas`. */
  readonly name: string;
  readonly dtype: ElementType;
  readonly shape: readonly number[];
  /** Extents of the chunks it lies in; undefined where it lies in one piece. What is read costs whole chunks. */
  readonly chunks: readonly number[] | undefined;
  /** Names of the filters its chunks went through: `deflate`. */
  readonly filters: readonly string[];
}

/** An HDF5 file that was opened: descriptions are read, numbers are when they are asked for. */
export interface Hdf5 {
  /** Name of the file, as the user gave it. */
  readonly name: string;
  readonly datasets: ReadonlyMap<string, Hdf5Dataset>;
  /** Complex numbers, with the type of their parts: pairs named as MATLAB or h5py names them. */
  readonly complex: ReadonlyMap<string, Hdf5Dataset>;
  /** Extents of datasets of references: cells of MATLAB, for example. */
  readonly references: ReadonlyMap<string, readonly number[]>;
  /** What is in the file beside arrays of numbers: complex numbers, references, texts, compounds, links out of the file. */
  readonly others: ReadonlyMap<string, string>;
  readonly groups: readonly string[];
  /** A whole dataset. */
  read(dataset: string): NdArray;
  /** The rows [start, end) of a dataset's first axis; only they (the chunks that hold them) are read. */
  readRows(dataset: string, start: number, end: number): NdArray;
  /** A block of a dataset: of each axis, the range [start, end); only the chunks that hold it are read. */
  readBlock(dataset: string, ranges: readonly (readonly [start: number, end: number])[]): NdArray;
  /** As `readBlock`, of complex numbers, one part of them. */
  readComplexBlock(
    dataset: string,
    part: 'real' | 'imaginary',
    ranges: readonly (readonly [start: number, end: number])[],
  ): NdArray;
  /**
   * The paths of the datasets and groups that a dataset of references refers to, row-major; undefined for a reference to
   * nothing. FORMAT for one to what is not in the file.
   */
  readReferences(dataset: string): (string | undefined)[];
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
  const start = startOf(source);
  const library = await loadHdf5Library();
  const mounted = mount(library, source);
  let id = -1n;
  const guarded = <T>(field: string | undefined, work: () => T): T => {
    takePrinted();
    try {
      return work();
    } catch (error) {
      giveUpIfBroken(error, file);
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
    if (id < 0n) {
      refuseTruncated(source, start);
      guarded(undefined, () => fail('the library cannot open it'));
    }
    const described = guarded(undefined, () => describe(library, id));
    return new OpenHdf5(source, library, id, mounted, described, guarded);
  } catch (error) {
    if (id >= 0n) library.close_file(id);
    mounted.unmount();
    throw error;
  }
}

/** DEFLATE's largest expansion. What is larger was never written, and the library would make it up from fill values. */
const MAXIMUM_EXPANSION = 1032;

type Ranges = readonly (readonly [start: number, end: number])[];

class OpenHdf5 implements Hdf5 {
  readonly name: string;
  readonly #source: SyncSource;
  readonly #library: Hdf5Module;
  readonly #id: bigint;
  readonly #mounted: Mounted;
  readonly #described: Described;
  readonly #guarded: <T>(field: string, work: () => T) => T;
  #names: ReadonlyMap<bigint, string> | undefined;
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

  get complex(): ReadonlyMap<string, Hdf5Dataset> {
    return this.#described.complex;
  }

  get references(): ReadonlyMap<string, readonly number[]> {
    return new Map([...this.#described.references].map(([name, { shape }]) => [name, shape]));
  }

  get others(): ReadonlyMap<string, string> {
    return this.#described.others;
  }

  get groups(): readonly string[] {
    return this.#described.groups;
  }

  read(dataset: string): NdArray {
    const stored = this.#dataset(dataset);
    return this.#read(
      stored,
      stored.shape.map((extent) => [0, extent]),
    );
  }

  readRows(dataset: string, start: number, end: number): NdArray {
    const stored = this.#dataset(dataset);
    const rows = stored.shape[0] ?? 0;
    if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= rows)) {
      throw new F2iError('INVALID_ARGUMENT', 'rows out of bounds', {
        file: this.name,
        field: dataset,
        expected: `0 <= start <= end <= ${rows}`,
        found: `[${start}, ${end})`,
      });
    }
    return this.#read(
      stored,
      stored.shape.map((extent, axis) => (axis === 0 ? [start, end] : [0, extent])),
    );
  }

  readBlock(dataset: string, ranges: Ranges): NdArray {
    const stored = this.#dataset(dataset);
    this.#checkBlock(stored, ranges);
    return this.#read(stored, ranges);
  }

  readComplexBlock(dataset: string, part: 'real' | 'imaginary', ranges: Ranges): NdArray {
    const stored = this.#dataset(dataset, this.#described.complex);
    this.#checkBlock(stored, ranges);
    const { dtype } = stored;
    const pairs = this.#bytes(stored, ranges, 2 * elementBytes(dtype));
    const size = elementBytes(dtype);
    const bytes = new Uint8Array(pairs.length / 2);
    for (let from = part === 'real' ? 0 : size, to = 0; to < bytes.length; from += 2 * size, to += size) {
      for (let k = 0; k < size; k++) bytes[to + k] = pairs[from + k]!;
    }
    const shape = ranges.map(([from, to]) => to - from);
    return { dtype, shape, data: decodeElements(bytes, dtype, this.name) };
  }

  readReferences(dataset: string): (string | undefined)[] {
    const stored = this.#dataset(dataset, this.#described.references);
    const { data } = this.#read(
      stored,
      stored.shape.map((extent) => [0, extent]),
    );
    return Array.from(data as BigUint64Array, (address, i) => {
      if (address === 0n) return undefined;
      const name = this.#objects().get(address);
      if (name !== undefined) return name;
      throw new F2iError('FORMAT', 'a reference to what is not in the file', {
        file: this.name,
        field: dataset,
        expected: 'the address of a dataset or a group',
        found: `${address} at element ${i}`,
      });
    });
  }

  /** Names of all objects by what references hold: asked for one by one, the library would search the file for each. */
  #objects(): ReadonlyMap<bigint, string> {
    if (this.#names) return this.#names;
    const { datasets, others, groups } = this.#described;
    const names = new Map<bigint, string>();
    for (const name of [...datasets.keys(), ...others.keys(), ...groups]) {
      const bytes = this.#guarded(name, () => this.#library.create_object_reference(this.#id, name));
      const address = decodeElements(Uint8Array.from(bytes), 'u64', this.name)[0]!;
      if (address !== 0n) names.set(address, name);
    }
    this.#names = names;
    return names;
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

  #checkBlock({ name, shape }: StoredDataset, ranges: Ranges): void {
    const inside = ranges.every(
      ([start, end], axis) =>
        Number.isInteger(start) &&
        Number.isInteger(end) &&
        0 <= start &&
        start <= end &&
        end <= (shape[axis] ?? -1),
    );
    if (inside && ranges.length === shape.length) return;
    throw new F2iError('INVALID_ARGUMENT', 'a block out of bounds', {
      file: this.name,
      field: name,
      expected: `ranges in [${shape.join(', ')}]`,
      found: ranges.map(([start, end]) => `[${start}, ${end})`).join(' x '),
    });
  }

  #dataset(
    name: string,
    among: ReadonlyMap<string, StoredDataset> = this.#described.datasets,
  ): StoredDataset {
    if (this.#closed) throw new F2iError('DISPOSED', 'the file was closed', { file: this.name });
    // h5py and HDFView print the names of datasets from the root on: `/session1/betas`.
    const dataset = among.get(name) ?? among.get(name.replace(/^\/+/, ''));
    if (!dataset) {
      const why = this.#described.others.get(name);
      throw new F2iError(
        'FORMAT',
        why === undefined ? 'no such dataset' : `not an array of numbers: ${why}`,
        {
          file: this.name,
          field: name,
          expected: [...among.keys()].slice(0, 12).join(', ') || 'a dataset',
          found: why,
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

  #read(stored: StoredDataset, ranges: Ranges): NdArray {
    const { dtype } = stored;
    const shape = ranges.map(([from, to]) => to - from);
    const bytes = this.#bytes(stored, ranges, elementBytes(dtype));
    return { dtype, shape, data: decodeElements(bytes, dtype, this.name) };
  }

  /** The library writes into its own memory, little-endian; a copy of that is ours. */
  #bytes({ name }: StoredDataset, ranges: Ranges, size: number): Uint8Array {
    const shape = ranges.map(([from, to]) => to - from);
    const bytes = (elementCount(shape) ?? Number.NaN) * size;
    const place = { file: this.name, field: name };
    if (bytes === 0) return new Uint8Array(0);
    if (!(bytes <= MAXIMUM_EXPANSION * this.#source.size)) {
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
          shape.length === 0 ? null : ranges.map(([from]) => BigInt(from)),
          shape.length === 0 ? null : shape.map(() => 1n),
          BigInt(pointer),
        ),
      );
      if (status < 0) this.#guarded(name, () => fail('the library cannot read it'));
      return library.HEAPU8.slice(pointer, pointer + bytes);
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
function startOf(source: SyncSource): number {
  for (let at = 0; at + MARK.length <= source.size; at = at === 0 ? 512 : at * 2) {
    const start = source.readSync(at, MARK.length);
    if (MARK.every((byte, i) => start[i] === byte)) return at;
  }
  source.close?.();
  throw new F2iError('FORMAT', 'not an HDF5 file', { file: source.name });
}
