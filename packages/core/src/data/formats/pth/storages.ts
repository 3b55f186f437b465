import { F2iError } from '../../../error.ts';
import { elementBytes } from '../../ndarray.ts';
import { type Refuse, storageType } from './globals.ts';
import { kindOf, type PickleValue, PyTuple, quoted, Storage } from './values.ts';

/** Storages that a pickle claims, by key: what it says of one must agree wherever it is mentioned. */
export class Storages {
  readonly claims = new Map<string, Storage>();

  /**
   * What a persistent id stands for: ('storage', class, key, location, elements[, view]). Only storages have any.
   */
  readonly claim = (id: PickleValue, refuse: Refuse): PickleValue => {
    const parts = id instanceof PyTuple ? id.items : [];
    if (parts[0] !== 'storage' || parts.length < 5 || parts.length > 6) {
      refuse('a persistent id that is no storage', 'the id of a storage', kindOf(id));
    }
    const [, type, key, location, length, view] = parts;
    const dtype = storageType(type);
    if (dtype === undefined) {
      return refuse(
        'a storage of this class is not read',
        'a class such as torch.FloatStorage',
        kindOf(type),
      );
    }
    // torch numbers its storages; a key that is a path would name another file of the archive.
    if (typeof key !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(key)) {
      return refuse('not the key of a storage', 'letters and digits', kindOf(key));
    }
    if (typeof location !== 'string') refuse('not the place of a storage', 'a text', kindOf(location));
    if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 0) {
      return refuse('not a number of elements', 'a whole number, 0 or more', kindOf(length));
    }
    if (!Number.isSafeInteger(length * elementBytes(dtype))) {
      refuse('a storage larger than any file', undefined, `${length} elements`);
    }
    if (view !== undefined && view !== null) refuse('views of storages are not read', 'none', kindOf(view));
    const before = this.claims.get(key);
    if (before && (before.dtype !== dtype || before.length !== length)) {
      refuse(
        `the storage ${quoted(key)} is described in two ways`,
        `${before.length} elements of ${before.dtype}`,
        `${length} of ${dtype}`,
      );
    }
    const storage = before ?? new Storage(key, dtype, length);
    this.claims.set(key, storage);
    return storage;
  };
}

/** The file of a storage has the bytes that the pickle states. */
export function checkBytes({ key, dtype, length }: Storage, bytes: number, file: string): void {
  const expected = length * elementBytes(dtype);
  if (bytes === expected) return;
  throw new F2iError('FORMAT', 'the size of a storage is not what the pickle states', {
    file,
    field: `storage ${key}`,
    expected: `${expected} bytes for ${length} elements of ${dtype}`,
    found: `${bytes}`,
  });
}
