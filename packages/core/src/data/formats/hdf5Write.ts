import { F2iError } from '../../error.ts';
import { type ElementType, elementBytes, encodeElements, type NdArray } from '../ndarray.ts';
import { freePath, type Hdf5Module, loadHdf5Library } from './hdf5Library.ts';

/** How a dataset is to be stored. */
export interface Hdf5Content {
  /** f32, f64 or integers. */
  readonly array: NdArray;
  /** Extents of chunks; without them the numbers lie in a row. */
  readonly chunks?: readonly number[] | undefined;
  /** Level of deflate, 1 to 9; needs chunks. */
  readonly deflate?: number | undefined;
  /** Texts and whole numbers (i32) to attach. */
  readonly attributes?: Readonly<Record<string, string | number>> | undefined;
}

/**
 * The bytes of an HDF5 file of datasets; of a name `a/b`, `a` becomes a group. All of it is made in memory.
 *
 * @throws UNSUPPORTED for f16 and bf16
 */
export async function encodeHdf5(datasets: Readonly<Record<string, Hdf5Content>>): Promise<Uint8Array> {
  const library = await loadHdf5Library();
  const path = freePath(library);
  // In the oldest form that holds them: what h5py writes.
  const { H5F_LIBVER_EARLIEST: oldest, H5F_LIBVER_LATEST: newest } = library;
  const id = library.open(path, library.H5F_ACC_TRUNC, false, oldest, newest);
  const groups = new Set<string>();
  try {
    for (const [name, { array, chunks, deflate, attributes = {} }] of Object.entries(datasets)) {
      for (const { index } of name.matchAll(/\//g)) {
        const group = name.slice(0, index);
        if (!groups.has(group)) library.create_group(id, group, false);
        groups.add(group);
      }
      const bytes = encodeElements(array.data);
      const pointer = library._malloc(Math.max(1, bytes.length));
      try {
        library.HEAPU8.set(bytes, pointer);
        library.create_dataset(id, name, BigInt(pointer), {
          ...writtenType(array.dtype, library),
          shape: array.shape.map(BigInt),
          maxshape: array.shape.map(BigInt),
          chunks: chunks ? chunks.map(BigInt) : null,
          compression: deflate === undefined ? 0 : 1,
          compression_opts: deflate === undefined ? [] : [deflate],
          track_order: false,
        });
        // The library does not say that it failed.
        if (library.get_type(id, name) !== library.H5G_DATASET) {
          throw new F2iError('INVALID_ARGUMENT', 'no dataset of this name can be written', { field: name });
        }
      } finally {
        library._free(pointer);
      }
      for (const [key, value] of Object.entries(attributes)) writeAttribute(library, id, name, key, value);
    }
    library.flush(id);
  } finally {
    library.close_file(id);
  }
  const made = library.FS.readFile(path).slice();
  library.FS.unlink(path);
  return made;
}

function writeAttribute(
  library: Hdf5Module,
  id: bigint,
  path: string,
  key: string,
  value: string | number,
): void {
  const bytes =
    typeof value === 'string' ? new TextEncoder().encode(value) : encodeElements(Int32Array.of(value));
  const type =
    typeof value === 'string'
      ? { ...writtenType('u8', library), type: library.H5T_class_t.H5T_STRING.value, size: bytes.length }
      : writtenType('i32', library);
  const pointer = library._malloc(Math.max(1, bytes.length));
  try {
    library.HEAPU8.set(bytes, pointer);
    library.create_attribute(id, path, key, BigInt(pointer), {
      ...type,
      cset: 0,
      strpad: 1,
      shape: [],
      maxshape: [],
      chunks: null,
      track_order: false,
    });
  } finally {
    library._free(pointer);
  }
}

function writtenType(dtype: ElementType, { H5T_class_t: classes }: Hdf5Module) {
  const kind = /^[fiu]/.exec(dtype)?.[0];
  if (kind === undefined || dtype === 'f16') {
    throw new F2iError('UNSUPPORTED', `HDF5 files of ${dtype} are not written`);
  }
  return {
    type: kind === 'f' ? classes.H5T_FLOAT.value : classes.H5T_INTEGER.value,
    size: elementBytes(dtype),
    signed: kind === 'i',
    littleEndian: true,
    vlen: false,
    total_size: 0,
  };
}
