import { type ElementType, elementBytes } from '../ndarray.ts';
import type { Hdf5Metadata, Hdf5Module } from './hdf5Library.ts';

/** Names of filters that files of brain data use, by the numbers that the HDF Group gave them. */
export const FILTERS: Readonly<Record<number, string>> = {
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
export const READABLE_FILTERS: readonly number[] = [1, 2, 3, 5, 6];

/** A dataset whose elements have a size that is known. */
export interface StoredDataset {
  /** Path inside the file, without the first slash: `betas`, `group/betas`. */
  readonly name: string;
  /** Of complex numbers, the type of each part. */
  readonly dtype: ElementType;
  readonly shape: readonly number[];
  /** Extents of the chunks it lies in; undefined where it lies in one piece. What is read costs whole chunks. */
  readonly chunks: readonly number[] | undefined;
  /** Names of the filters its chunks went through: `deflate`. */
  readonly filters: readonly string[];
  /** Those of them that the library lacks. */
  readonly missing: readonly string[];
}

/** What is in a file. */
export interface Described {
  readonly datasets: Map<string, StoredDataset>;
  /** Pairs of numbers: of MATLAB (`real`, `imag`) and of h5py (`r`, `i`). */
  readonly complex: Map<string, StoredDataset>;
  /** Addresses of other objects of the file: MATLAB's cells. Their type is that of an address. */
  readonly references: Map<string, StoredDataset>;
  readonly others: Map<string, string>;
  readonly groups: string[];
}

/** Everything in the file: arrays of numbers, and what else there is. */
export function describe(library: Hdf5Module, id: bigint): Described {
  const found: Described = {
    datasets: new Map(),
    complex: new Map(),
    references: new Map(),
    others: new Map(),
    groups: [],
  };
  for (const name of library.get_names(id, '/', true)) {
    const type = library.get_type(id, name);
    if (type === library.H5G_GROUP) found.groups.push(name);
    else if (type === library.H5G_DATASET) describeDataset(library, id, name, found);
    else found.others.set(name, type === library.H5G_LINK ? 'a link that leads nowhere' : 'no dataset');
  }
  return found;
}

function describeDataset(library: Hdf5Module, id: bigint, name: string, found: Described): void {
  const metadata = library.get_dataset_metadata(id, name);
  const { shape, virtual_sources: sources } = metadata;
  if (!shape) {
    found.others.set(name, 'it is empty');
    return;
  }
  if (sources && sources.length > 0) {
    // Where a file of it is missing, the library would fill in zeros.
    found.others.set(name, 'its parts lie in other files (a virtual dataset)');
    return;
  }
  const stored = (dtype: ElementType): StoredDataset => {
    const filters = library.get_dataset_filters(id, name);
    const title = (filter: { id: number; name: string }) =>
      FILTERS[filter.id] ?? (filter.name || `${filter.id}`);
    return {
      name,
      dtype,
      shape: shape.map(Number),
      chunks: metadata.chunks?.map(Number),
      filters: filters.map(title),
      missing: filters.filter(({ id: number }) => !READABLE_FILTERS.includes(number)).map(title),
    };
  };
  const dtype = elementTypeOf(metadata, library);
  const part = partTypeOf(metadata, library);
  if (dtype !== undefined) found.datasets.set(name, stored(dtype));
  else if (part !== undefined) {
    found.complex.set(name, stored(part));
    found.others.set(name, 'complex numbers');
  } else if (isReference(metadata, library)) {
    found.references.set(name, stored('u64'));
    found.others.set(name, 'references to other objects of the file');
  } else found.others.set(name, 'its type is no number');
}

/** Longest attribute that is looked at. */
const LONGEST_ATTRIBUTE = 4096;

/** Texts and whole numbers, one each, that are attached to a dataset or a group. */
export function readAttributes(library: Hdf5Module, id: bigint, path: string): Map<string, string | number> {
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
      if (library.get_attribute_data(id, path, name, BigInt(pointer)) < 0) {
        throw new Error('the library cannot read it');
      }
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

/** The type of both parts of complex numbers: compounds of two floats, one after the other. */
function partTypeOf(metadata: Hdf5Metadata, library: Hdf5Module): ElementType | undefined {
  const members = metadata.compound_type?.members;
  if (metadata.type !== library.H5T_class_t.H5T_COMPOUND.value || members?.length !== 2) return undefined;
  const [first, second] = members;
  const names = `${first!.name},${second!.name}`;
  const types = members.map((member) => elementTypeOf(member, library));
  const dtype = types[0];
  const isPair =
    (names === 'real,imag' || names === 'r,i') &&
    dtype !== undefined &&
    dtype !== 'bool' &&
    types[1] === dtype &&
    members.every((member) => member.littleEndian === metadata.littleEndian) &&
    first!.offset === 0 &&
    second!.offset === elementBytes(dtype) &&
    metadata.size === 2 * elementBytes(dtype) &&
    members.every((member) => (member.shape?.length ?? 0) === 0);
  return isPair ? dtype : undefined;
}

/** References to objects, not to regions of them. */
const isReference = ({ type, size, ref_type }: Hdf5Metadata, { H5T_class_t: classes }: Hdf5Module): boolean =>
  type === classes.H5T_REFERENCE.value && ref_type === 'object' && size === 8;
