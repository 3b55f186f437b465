import { F2iError } from '../../error.ts';
import type { SyncSource } from '../syncSource.ts';

/** What the library says of a dataset. */
export interface Hdf5Metadata {
  readonly type: number;
  /** Bytes of an element. */
  readonly size: number;
  readonly signed: boolean;
  readonly shape: readonly number[] | null;
  /** Of what lies in chunks. */
  readonly chunks?: readonly number[] | null;
  readonly littleEndian?: boolean;
  /** Of references: `object` or `region`. */
  readonly ref_type?: string;
  readonly compound_type?: {
    readonly members: readonly (Hdf5Metadata & { readonly name: string; readonly offset: number })[];
  };
  readonly enum_type?: { readonly members: Readonly<Record<string, number>> };
  readonly virtual_sources?: readonly unknown[];
}

type TypeClass = 'H5T_INTEGER' | 'H5T_FLOAT' | 'H5T_ENUM' | 'H5T_STRING' | 'H5T_COMPOUND' | 'H5T_REFERENCE';

interface Operations {
  stream_ops: Record<string, unknown>;
}

/** The part of h5wasm's module that is used: the calls of the C library, on memory of its own. */
export interface Hdf5Module {
  readonly HEAPU8: Uint8Array;
  /** Bytes. */
  readonly MAXIMUM_MEMORY: number;
  readonly H5F_ACC_RDONLY: number;
  readonly H5F_ACC_TRUNC: number;
  readonly H5F_LIBVER_EARLIEST: number;
  readonly H5F_LIBVER_LATEST: number;
  readonly H5G_GROUP: number;
  readonly H5G_DATASET: number;
  readonly H5G_LINK: number;
  readonly H5T_class_t: Readonly<Record<TypeClass, { readonly value: number }>>;
  readonly FS: {
    createFile(parent: string, name: string, properties: object, read: boolean, write: boolean): Operations;
    readFile(path: string): Uint8Array;
    unlink(path: string): void;
    analyzePath(path: string): { readonly exists: boolean };
    readonly ErrnoError: new (errno: number) => Error;
    /** By number: 2 is where the library prints its errors. */
    readonly streams: readonly Operations[];
  };
  /** Negative where it fails. */
  open(path: string, mode: number, trackOrder?: boolean, oldest?: number, newest?: number): bigint;
  close_file(id: bigint): number;
  flush(id: bigint): number;
  get_names(id: bigint, path: string, recursive: boolean): string[];
  get_type(id: bigint, path: string): number;
  get_dataset_metadata(id: bigint, path: string): Hdf5Metadata;
  get_dataset_filters(id: bigint, path: string): { readonly id: number; readonly name: string }[];
  get_attribute_names(id: bigint, path: string): string[];
  get_attribute_metadata(
    id: bigint,
    path: string,
    name: string,
  ): Hdf5Metadata & { readonly total_size: number; readonly vlen: boolean };
  /** Its bytes into memory at the pointer; negative where it fails. */
  get_attribute_data(id: bigint, path: string, name: string, pointer: bigint): number;
  /** Little-endian elements of a block into memory at the pointer; negative where it fails. */
  get_dataset_data(
    id: bigint,
    path: string,
    count: bigint[] | null,
    offset: bigint[] | null,
    strides: bigint[] | null,
    pointer: bigint,
  ): number;
  /** The reference to an object: 8 bytes, of zeros where there is none. */
  create_object_reference(id: bigint, path: string): readonly number[];
  create_attribute(id: bigint, path: string, name: string, pointer: bigint, metadata: object): number;
  create_group(id: bigint, path: string, trackOrder: boolean): number;
  create_dataset(id: bigint, path: string, pointer: bigint, metadata: object): number;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
}

let library: Promise<Hdf5Module> | undefined;
let printed = '';

/**
 * h5wasm (NIST, permissive licence), loaded once, when it is first needed. It holds its WebAssembly in itself.
 *
 * @throws UNSUPPORTED where it cannot be loaded; INTERNAL once it was given up
 */
export async function loadHdf5Library(): Promise<Hdf5Module> {
  if (givenUp) {
    throw new F2iError(
      'INTERNAL',
      `the HDF5 library broke on ${givenUp}: what it reads now could be wrong; start again without that file`,
    );
  }
  library ??= load().catch((cause) => {
    library = undefined;
    throw new F2iError('UNSUPPORTED', 'HDF5 files need the package h5wasm, which cannot be loaded', {
      cause,
    });
  });
  return library;
}

let givenUp: string | undefined;

/**
 * Whether the library itself broke, and not the file alone: WebAssembly that traps or aborts leaves its memory and its
 * stack as they were at that moment. It cannot be started a second time, so it reads nothing any more.
 *
 * @param file that broke it
 */
export function giveUpIfBroken(error: unknown, file: string): void {
  if (!(error instanceof Error)) return;
  const isStack = error instanceof RangeError && /call stack/.test(error.message);
  if (error.name === 'RuntimeError' || isStack) givenUp = file;
}

async function load(): Promise<Hdf5Module> {
  const { ready } = await import('h5wasm');
  const loaded = (await ready) as unknown as Hdf5Module;
  // It prints whole stacks for each error: they are the cause of ours, not lines on the user's screen.
  const [, , errors] = loaded.FS.streams;
  errors!.stream_ops = {
    ...errors!.stream_ops,
    write(_stream: unknown, buffer: Uint8Array, offset: number, length: number) {
      printed += new TextDecoder().decode(buffer.slice(offset, offset + length));
      return length;
    },
  };
  return loaded;
}

/** What the library printed since the last time. */
export function takePrinted(): string {
  const text = printed;
  printed = '';
  return text;
}

/** A name in the library's own file system that no other file has: another copy of this module may share the library. */
export function freePath({ FS }: Hdf5Module): string {
  let path: string;
  do path = `/f2i-${++mounts}.h5`;
  while (FS.analyzePath(path).exists);
  return path;
}

export interface Mounted {
  readonly path: string;
  /** Why the last read of the medium failed, once. */
  takeError(): unknown;
  unmount(): void;
}

let mounts = 0;
/** EIO of the library's system. */
const IO_ERROR = 29;

/** The source as a file of the library's own file system, whose reads go to the source. */
export function mount(library: Hdf5Module, source: SyncSource): Mounted {
  const { FS } = library;
  const path = freePath(library);
  const node = FS.createFile('/', path.slice(1), {}, true, false);
  let error: unknown;
  Object.defineProperty(node, 'usedBytes', { value: source.size });
  node.stream_ops = {
    ...node.stream_ops,
    read(_stream: unknown, buffer: Uint8Array, offset: number, length: number, position: number) {
      const count = Math.max(0, Math.min(length, source.size - position));
      try {
        buffer.set(source.readSync(position, count), offset);
      } catch (cause) {
        error = cause;
        throw new FS.ErrnoError(IO_ERROR);
      }
      return count;
    },
  };
  return {
    path,
    takeError() {
      const taken = error;
      error = undefined;
      return taken;
    },
    unmount: () => FS.unlink(path),
  };
}
