import { type Hdf5Module, loadHdf5Library } from '../../../src/data/formats/hdf5Library.ts';
import { encodeElements, type NdArray } from '../../../src/index.ts';

/** What MATLAB stores: numbers and texts with HDF5's extents (MATLAB's in reverse), and what holds them. */
export type Value =
  | { readonly className: string; readonly array: NdArray; readonly empty?: boolean }
  | { readonly className: string; readonly complex: NdArray }
  | { readonly cell: readonly Element[]; readonly shape: readonly number[] }
  | { readonly struct: Readonly<Record<string, Value>> }
  | {
      readonly structs: readonly Readonly<Record<string, Value>>[];
      readonly shape: readonly number[];
      readonly otherShape?: readonly number[];
    }
  | { readonly sparse: Readonly<Record<string, NdArray>>; readonly rows: number; readonly className: string };

/** Nothing: a reference of zeros; dangling: one to where no object is. */
type Element = Value | undefined | 'dangling';

/** As MATLAB writes with -v7.3. */
export async function matlab73File(variables: Readonly<Record<string, Value>>): Promise<Buffer> {
  const library = await loadHdf5Library();
  const path = '/written-by-a-test.mat';
  const id = library.open(
    path,
    library.H5F_ACC_TRUNC,
    false,
    library.H5F_LIBVER_EARLIEST,
    library.H5F_LIBVER_LATEST,
  );
  const writer = new Writer(library, id);
  for (const [name, value] of Object.entries(variables)) writer.write(name, value);
  library.flush(id);
  library.close_file(id);
  const made = library.FS.readFile(path).slice();
  library.FS.unlink(path);
  return withHeader(made);
}

/** Before the HDF5 file, MATLAB writes a block that begins like its other files. */
export function withHeader(hdf5: Uint8Array): Buffer {
  const block = Buffer.alloc(512);
  block.fill(' ', 0, 116).write('MATLAB 7.3 MAT-file, written by a test');
  block.set([0, 2, 0x49, 0x4d], 124);
  return Buffer.concat([block, hdf5]);
}

class Writer {
  readonly #library: Hdf5Module;
  readonly #id: bigint;
  #referred = 0;

  constructor(library: Hdf5Module, id: bigint) {
    this.#library = library;
    this.#id = id;
  }

  write(path: string, value: Value): void {
    if ('array' in value) {
      this.#dataset(path, value.array);
      this.#attribute(path, 'MATLAB_class', value.className);
      if (value.empty) this.#attribute(path, 'MATLAB_empty', 1);
    } else if ('complex' in value) {
      const { shape, data } = value.complex;
      const part = this.#type('f64');
      const parts = ['real', 'imag'].map((name, k) => ({ ...part, name, offset: 8 * k, shape: [] }));
      this.#create(path, encodeElements(data), shape, {
        ...part,
        type: this.#library.H5T_class_t.H5T_COMPOUND.value,
        size: 16,
        compound_type: { nmembers: 2, members: parts },
      });
      this.#attribute(path, 'MATLAB_class', value.className);
    } else if ('cell' in value) {
      this.#references(path, value.cell, value.shape);
      this.#attribute(path, 'MATLAB_class', 'cell');
    } else if ('struct' in value) {
      this.#library.create_group(this.#id, path, false);
      this.#attribute(path, 'MATLAB_class', 'struct');
      for (const [field, content] of Object.entries(value.struct)) this.write(`${path}/${field}`, content);
    } else if ('structs' in value) {
      this.#library.create_group(this.#id, path, false);
      this.#attribute(path, 'MATLAB_class', 'struct');
      for (const [k, field] of Object.keys(value.structs[0]!).entries()) {
        const shape = k > 0 ? (value.otherShape ?? value.shape) : value.shape;
        this.#references(
          `${path}/${field}`,
          value.structs.map((element) => element[field]!),
          shape,
        );
      }
    } else {
      this.#library.create_group(this.#id, path, false);
      this.#attribute(path, 'MATLAB_class', value.className);
      this.#attribute(path, 'MATLAB_sparse', value.rows);
      for (const [part, array] of Object.entries(value.sparse)) this.#dataset(`${path}/${part}`, array);
    }
  }

  /** What cells refer to lies in a group of its own. */
  #references(path: string, values: readonly Element[], shape: readonly number[]): void {
    const bytes = new Uint8Array(8 * values.length);
    for (const [i, value] of values.entries()) {
      if (value === 'dangling') bytes.fill(0x33, 8 * i, 8 * i + 3);
      if (value === undefined || value === 'dangling') continue;
      if (this.#referred === 0) this.#library.create_group(this.#id, '#refs#', false);
      const target = `#refs#/${(this.#referred++).toString(36)}`;
      this.write(target, value);
      bytes.set(this.#library.create_object_reference(this.#id, target), 8 * i);
    }
    this.#create(path, bytes, shape, {
      ...this.#type('u64'),
      type: this.#library.H5T_class_t.H5T_REFERENCE.value,
      ref_type: 'object',
    });
  }

  #dataset(path: string, { dtype, shape, data }: NdArray): void {
    this.#create(path, encodeElements(data), shape, this.#type(dtype));
  }

  #create(path: string, bytes: Uint8Array, shape: readonly number[], type: object): void {
    this.#at(bytes, (pointer) =>
      this.#library.create_dataset(this.#id, path, pointer, {
        ...type,
        shape: shape.map(BigInt),
        maxshape: shape.map(BigInt),
        chunks: null,
        compression: 0,
        compression_opts: [],
        track_order: false,
      }),
    );
  }

  #attribute(path: string, name: string, value: string | number): void {
    const isText = typeof value === 'string';
    const bytes = isText ? Buffer.from(value) : Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
    const type = { ...this.#type('u64'), size: bytes.length };
    if (isText) type.type = this.#library.H5T_class_t.H5T_STRING.value;
    const rest = { cset: 0, strpad: 1, shape: [], maxshape: [], chunks: null, track_order: false };
    this.#at(bytes, (pointer) =>
      this.#library.create_attribute(this.#id, path, name, pointer, { ...type, ...rest }),
    );
  }

  #type(dtype: string) {
    const { H5T_FLOAT: float, H5T_INTEGER: integer } = this.#library.H5T_class_t;
    return {
      type: dtype.startsWith('f') ? float.value : integer.value,
      size: Number(dtype.slice(1)) / 8,
      signed: dtype.startsWith('i'),
      littleEndian: true,
      vlen: false,
      total_size: 0,
    };
  }

  #at(bytes: Uint8Array, work: (pointer: bigint) => unknown): void {
    const pointer = this.#library._malloc(Math.max(1, bytes.length));
    this.#library.HEAPU8.set(bytes, pointer);
    work(BigInt(pointer));
    this.#library._free(pointer);
  }
}
