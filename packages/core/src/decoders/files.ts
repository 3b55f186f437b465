import { isWeightsFile, MODEL_FILE, WEIGHTS_FILE } from '../bundle/schema.ts';
import { type BlobLike, blobSource, bytesSource, type Folder, type Source } from '../data/source.ts';
import { F2iError } from '../error.ts';

/** The part of `File` that is needed. */
export interface FileLike extends BlobLike {
  readonly name: string;
  /** Path inside a folder that was picked; empty otherwise. */
  readonly webkitRelativePath?: string;
}

/** Files of one bundle: a FileList or array of Files, or names with their contents (an array of pairs, a Map). */
export type BundleFiles =
  | ArrayLike<FileLike>
  | Iterable<FileLike>
  | Iterable<readonly [name: string, content: Uint8Array | BlobLike | Source]>;

const NEEDED: readonly string[] = [MODEL_FILE, WEIGHTS_FILE];

/** A bundle that every runtime can open. */
export type PortableBundle = Folder | BundleFiles;

export function isFolder(source: unknown): source is Folder {
  const { open, list } = (source ?? {}) as Partial<Folder>;
  return typeof open === 'function' && typeof list === 'function';
}

/**
 * The folder of a bundle.
 *
 * @param expected what the runtime takes, for errors
 * @throws INVALID_ARGUMENT for what is no bundle; IO naming files that are missing
 */
export function bundleFolder(source: PortableBundle, expected: string): Folder {
  return isFolder(source) ? source : filesFolder(checkFiles(source, expected));
}

/**
 * The same bundle for a worker: files as a map of their contents, where all of them can be cloned; otherwise the folder,
 * which is to answer the worker's questions.
 *
 * @throws as `bundleFolder` does
 */
export function bundleMessage(source: PortableBundle, expected: string): Folder | Map<string, unknown> {
  if (isFolder(source)) return source;
  const entries = fileEntries(checkFiles(source, expected));
  const canBeCloned = entries.every(([, content]) => content instanceof Uint8Array || 'slice' in content);
  return canBeCloned ? new Map(entries) : filesFolder(source);
}

function checkFiles(source: BundleFiles, expected: string): BundleFiles {
  const { length, [Symbol.iterator]: iterator } = (source ?? {}) as Partial<
    ArrayLike<unknown> & Iterable<unknown>
  >;
  if (typeof length === 'number' || typeof iterator === 'function') return source;
  throw new F2iError('INVALID_ARGUMENT', 'not a bundle', {
    field: 'source',
    expected,
    found: source === null ? 'null' : typeof source,
  });
}

/** Names, as given, and contents. */
function fileEntries(files: BundleFiles): [string, Uint8Array | BlobLike | Source][] {
  return Array.from(files as ArrayLike<FileLike | [string, Uint8Array]>, (file, index) => {
    if (Array.isArray(file) && typeof file[0] === 'string' && isContent(file[1])) return [file[0], file[1]];
    const { name, webkitRelativePath } = file as FileLike;
    if (typeof name === 'string' && isContent(file)) return [webkitRelativePath || name, file as FileLike];
    throw new F2iError('INVALID_ARGUMENT', 'not a file', {
      field: `source[${index}]`,
      expected: 'a File, or a name with bytes, a Blob or a Source',
      found: typeof file,
    });
  });
}

function isContent(value: unknown): boolean {
  if (value instanceof Uint8Array) return true;
  const { size, slice, read } = (value ?? {}) as { size?: unknown; slice?: unknown; read?: unknown };
  return typeof size === 'number' && (typeof slice === 'function' || typeof read === 'function');
}

/**
 * The files of a bundle as a folder. They are found by the last part of their path, so a folder that was picked or
 * dropped does as well as its files; other files do not matter.
 *
 * @throws IO naming what is missing; INVALID_ARGUMENT if two files have the name of one
 */
export function filesFolder(files: BundleFiles, name = 'the chosen files'): Folder {
  const entries = fileEntries(files);
  const byName = new Map<string, [string, Uint8Array | BlobLike | Source]>();
  for (const entry of entries) {
    const last = entry[0].split('/').at(-1)!;
    const other = byName.get(last);
    if (other && (last === MODEL_FILE || isWeightsFile(last))) {
      throw new F2iError('INVALID_ARGUMENT', 'more than one bundle', {
        file: name,
        expected: `one ${last}`,
        found: `${other[0]} and ${entry[0]}`,
      });
    }
    byName.set(last, entry);
  }
  // Large models have their weights in several files; which ones, model.json says.
  const isSharded = [...byName.keys()].some((last) => last !== WEIGHTS_FILE && isWeightsFile(last));
  const missing = NEEDED.filter((needed) => !byName.has(needed) && !(isSharded && needed === WEIGHTS_FILE));
  if (missing.length > 0) {
    throw new F2iError('IO', `no ${missing.join(' and no ')}`, {
      file: name,
      expected: `the files of a bundle: ${NEEDED.join(', ')}`,
      found: entries.length > 0 ? namesOf(entries.map(([path]) => path)) : 'no files',
    });
  }
  return {
    name,
    async list() {
      return [...byName.keys()].sort();
    },
    async open(path) {
      const entry = byName.get(path);
      if (!entry) throw new F2iError('IO', 'no such file', { file: `${name}/${path}` });
      return sourceOf(entry[1], entry[0]);
    },
  };
}

function sourceOf(content: Uint8Array | BlobLike | Source, name: string): Source {
  if (content instanceof Uint8Array) return bytesSource(content, name);
  return 'slice' in content ? blobSource(content, name) : content;
}

function namesOf(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
