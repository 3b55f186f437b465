import { F2iError } from '../../error.ts';
import type { NdArray } from '../ndarray.ts';
import { bytesSource, type Source } from '../source.ts';
import { readNpy } from './npy.ts';
import { openZip, type Zip, type ZipEntry } from './zip.ts';

/** NumPy's `.npz`: a zip archive of npy files. */
export interface Npz {
  readonly source: Source;
  /** Names of the arrays, as `np.load` gives them: without `.npy`. */
  readonly names: readonly string[];
  readonly zip: Zip;
  /** The archive's entry of an array. Throws FORMAT when there is none of that name. */
  entry(name: string): ZipEntry;
  /** One array; size and CRC-32 are checked. */
  read(name: string, signal?: AbortSignal): Promise<NdArray>;
}

/** Opens an archive and checks its directory; no array is read yet. */
export async function openNpz(source: Source, signal?: AbortSignal): Promise<Npz> {
  const zip = await openZip(source, signal);
  const entries = new Map<string, ZipEntry>();
  for (const entry of zip.entries) {
    if (entry.name.endsWith('.npy')) entries.set(entry.name.slice(0, -'.npy'.length), entry);
  }
  const names = [...entries.keys()];
  if (names.length === 0 && zip.entries.length > 0) {
    throw new F2iError('FORMAT', 'a zip archive, but not an npz', {
      file: source.name,
      expected: '.npy files in it',
      found: zip.entries
        .slice(0, 3)
        .map(({ name }) => name)
        .join(', '),
    });
  }
  const entryOf = (name: string): ZipEntry => {
    const entry = entries.get(name);
    if (entry) return entry;
    const expected = names.length > 0 ? `one of ${names.join(', ')}` : 'an archive that holds .npy files';
    throw new F2iError('FORMAT', 'no such array', { file: source.name, field: name, expected });
  };
  return {
    source,
    names,
    zip,
    entry: entryOf,
    async read(name, readSignal) {
      const entry = entryOf(name);
      const bytes = await zip.read(entry, readSignal);
      return readNpy(bytesSource(bytes, `${source.name}/${entry.name}`), readSignal);
    },
  };
}
