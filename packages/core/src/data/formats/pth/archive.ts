import { F2iError } from '../../../error.ts';
import { relativePath, type Source } from '../../source.ts';
import { openZip, type Zip, type ZipEntry } from '../zip.ts';
import { checkedSource } from './checked.ts';
import { LIMITS } from './limits.ts';
import { checkBytes, Storages } from './storages.ts';
import { unpickle } from './unpickle.ts';
import type { PickleValue } from './values.ts';
import { quoted } from './values.ts';

/** A checkpoint whose pickle was read, and where its storages are. */
export interface Checkpoint {
  readonly root: PickleValue;
  readonly littleEndian: boolean;
  /** The bytes of a storage; its place is looked up when it is first asked for. */
  storage(key: string, signal?: AbortSignal): Promise<Source>;
}

/**
 * What `torch.save` writes since torch 1.6: a zip archive with one folder, in it `data.pkl`, `data/KEY` for each storage,
 * stored and aligned, and perhaps `byteorder`.
 */
export async function readArchive(source: Source, signal?: AbortSignal): Promise<Checkpoint> {
  const file = source.name;
  const zip = await openZip(source, signal);
  const byName = new Map<string, ZipEntry>();
  for (const entry of zip.entries) {
    checkPath(entry.name, file);
    byName.set(entry.name, entry);
  }
  const folder = folderOf([...byName.keys()], file);
  const littleEndian = await byteOrder(zip, byName.get(`${folder}/byteorder`), file, signal);
  const pickle = byName.get(`${folder}/data.pkl`)!;
  if (pickle.size > LIMITS.bytes) {
    throw new F2iError('FORMAT', 'the pickle is larger than any checkpoint', {
      file,
      field: pickle.name,
      expected: `at most ${LIMITS.bytes} bytes`,
      found: `${pickle.size}`,
    });
  }
  const storages = new Storages();
  const { value: root, end } = await unpickle(await zip.read(pickle, signal), {
    file: `${file}/${pickle.name}`,
    persistent: storages.claim,
    signal,
  });
  if (end !== pickle.size) {
    throw new F2iError('FORMAT', 'bytes after the end of the pickle', {
      file: `${file}/${pickle.name}`,
      expected: `${end} bytes`,
      found: `${pickle.size}`,
    });
  }
  const entries = new Map<string, ZipEntry>();
  for (const storage of storages.claims.values()) {
    entries.set(storage.key, entryOf(storage.key, byName.get(`${folder}/data/${storage.key}`), file));
    checkBytes(storage, entries.get(storage.key)!.size, file);
  }
  const opened = new Map<string, Promise<Source>>();
  return {
    root,
    littleEndian,
    storage(key, readSignal) {
      let found = opened.get(key);
      if (!found) {
        const entry = entries.get(key)!;
        found = zip.locate(entry, readSignal).then((data) => checkedSource(data, entry.crc32));
        // What was cancelled may be asked for again.
        found.catch(() => opened.delete(key));
        opened.set(key, found);
      }
      return found;
    },
  };
}

/** Entries are never written to disk; a path that would leave a folder is a sign of harm all the same. */
function checkPath(name: string, file: string): void {
  try {
    if (name.length > 1024) throw new F2iError('FORMAT', 'longer than 1024 characters');
    relativePath(name);
  } catch (cause) {
    throw new F2iError('FORMAT', 'the archive names a file outside itself', {
      file,
      field: quoted(name),
      expected: 'a relative path, such as archive/data/0',
      cause,
    });
  }
}

function folderOf(names: readonly string[], file: string): string {
  const pickles = names.filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    throw new F2iError('FORMAT', 'not a checkpoint of PyTorch', {
      file,
      expected: 'a zip archive with one FOLDER/data.pkl',
      found: pickles.length === 0 ? `${names.length} other files` : pickles.join(', '),
    });
  }
  const folder = pickles[0]!.slice(0, -'/data.pkl'.length);
  if (names.includes(`${folder}/constants.pkl`)) {
    throw new F2iError('UNSUPPORTED', 'a TorchScript program, which is not run; save its state_dict', {
      file,
    });
  }
  return folder;
}

async function byteOrder(
  zip: Zip,
  entry: ZipEntry | undefined,
  file: string,
  signal?: AbortSignal,
): Promise<boolean> {
  if (!entry) return true;
  const text =
    entry.size <= 16 ? new TextDecoder().decode(await zip.read(entry, signal)) : `${entry.size} bytes`;
  if (text === 'little' || text === 'big') return text === 'little';
  throw new F2iError('FORMAT', 'not a byte order', {
    file,
    field: entry.name,
    expected: '"little" or "big"',
    found: quoted(text),
  });
}

function entryOf(key: string, entry: ZipEntry | undefined, file: string): ZipEntry {
  if (!entry) {
    throw new F2iError('FORMAT', 'a storage is missing from the archive', { file, field: `data/${key}` });
  }
  if (entry.method !== 'stored') {
    throw new F2iError(
      'UNSUPPORTED',
      'a compressed storage cannot be read in place; save it with torch.save',
      {
        file,
        field: entry.name,
        expected: 'a stored file',
        found: entry.method,
      },
    );
  }
  return entry;
}
