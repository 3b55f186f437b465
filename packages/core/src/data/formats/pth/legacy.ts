import { F2iError } from '../../../error.ts';
import { elementBytes } from '../../ndarray.ts';
import { type Source, sliceSource } from '../../source.ts';
import type { Checkpoint } from './archive.ts';
import { LIMITS } from './limits.ts';
import { PickleEndsEarly } from './pickleReader.ts';
import { Storages } from './storages.ts';
import { type Unpickled, type UnpickleOptions, unpickle } from './unpickle.ts';
import { kindOf, PyDict, PyList, type Storage } from './values.ts';

/** The first pickle of the format: PROTO 2, LONG1 of ten bytes, STOP. */
const MAGIC = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/** Whether the bytes begin as a checkpoint of torch before 1.6 does. */
export function isLegacy(start: Uint8Array): boolean {
  return MAGIC.every((byte, i) => start[i] === byte);
}

/**
 * What `torch.save` wrote before torch 1.6 (and still does with `_use_new_zipfile_serialization=False`): pickles of a
 * magic number, a version, the machine, the object and the list of storage keys, and then each storage, its number of
 * elements in 8 bytes before it.
 */
export async function readLegacy(source: Source, signal?: AbortSignal): Promise<Checkpoint> {
  const file = source.name;
  const storages = new Storages();
  const pickles = new Pickles(source, { file, persistent: storages.claim, signal });
  await pickles.next();
  const version = await pickles.next();
  if (version !== 1001) {
    throw new F2iError('UNSUPPORTED', 'a checkpoint of an unknown version', {
      file,
      expected: '1001',
      found: kindOf(version),
    });
  }
  const machine = await pickles.next();
  const littleEndian = !(machine instanceof PyDict) || machine.entries.get('little_endian') !== false;
  const root = await pickles.next();
  const keys = await pickles.next();
  const listed = keys instanceof PyList ? keys.items : [];
  if (listed.length !== storages.claims.size || new Set(listed).size !== listed.length) {
    throw new F2iError('FORMAT', 'the list of storages is not that of the pickle', {
      file,
      expected: `${storages.claims.size} storages`,
      found: kindOf(keys),
    });
  }
  const places = new Map<string, Source>();
  let at = pickles.at;
  for (const key of listed) {
    const storage = typeof key === 'string' ? storages.claims.get(key) : undefined;
    if (!storage) {
      throw new F2iError('FORMAT', 'a storage that no tensor uses', { file, field: kindOf(key) });
    }
    await checkLength(source, at, storage, littleEndian, signal);
    const bytes = storage.length * elementBytes(storage.dtype);
    places.set(storage.key, sliceSource(source, at + 8, bytes, `${file}/${storage.key}`));
    at += 8 + bytes;
  }
  if (at !== source.size) {
    throw new F2iError('FORMAT', 'bytes after the last storage', {
      file,
      expected: `${at} bytes in total`,
      found: `${source.size}`,
    });
  }
  return { root, littleEndian, storage: async (key) => places.get(key)! };
}

async function checkLength(
  source: Source,
  at: number,
  { key, length }: Storage,
  littleEndian: boolean,
  signal?: AbortSignal,
): Promise<void> {
  const bytes = await source.read(at, 8, signal);
  const found = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, littleEndian);
  if (found === BigInt(length)) return;
  throw new F2iError('FORMAT', 'the size of a storage is not what the pickle states', {
    file: source.name,
    field: `storage ${key}`,
    expected: `${length} elements`,
    found: `${found}`,
  });
}

/** Pickles one behind another; how long they are shows only when they have been read. */
class Pickles {
  /** Where the next one begins. */
  at = 0;
  readonly #source: Source;
  readonly #options: UnpickleOptions;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(source: Source, options: UnpickleOptions) {
    this.#source = source;
    this.#options = options;
  }

  async next() {
    const { value, end } = await this.#read();
    this.at = end;
    return value;
  }

  async #read(): Promise<Unpickled> {
    for (let wanted = 2 ** 20; ; wanted *= 4) {
      const length = Math.min(this.at + wanted, this.#source.size);
      if (this.#bytes.length < length) this.#bytes = await this.#source.read(0, length, this.#options.signal);
      try {
        return await unpickle(this.#bytes, { ...this.#options, start: this.at });
      } catch (error) {
        const more = length < this.#source.size && wanted < LIMITS.bytes;
        if (!(error instanceof PickleEndsEarly) || !more) throw error;
      }
    }
  }
}
