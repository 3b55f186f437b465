import {
  blobSource,
  F2iError,
  type Folder,
  isWeightsFile,
  memoryFolder,
  type Source,
} from '@fmri2image/core';

/** A file with its path inside the folder that was picked or dropped (its name, if it came alone). */
export interface NamedFile {
  readonly path: string;
  readonly blob: Blob;
}

export const MODEL = 'model.json';
export const WEIGHTS = 'weights.safetensors';
export const STUDY = 'study.json';

/** What was picked, told apart by names alone. */
export interface Sorted {
  /** The files of a bundle; incomplete if one of them is missing. */
  readonly bundle: readonly NamedFile[];
  /** A study folder: everything below the folder of its `study.json`. */
  readonly study: readonly NamedFile[];
  /** Files beside a study: what its `data:` paths mean. */
  readonly data: readonly NamedFile[];
  /** Other files: responses, and perhaps a mask. */
  readonly responses: readonly NamedFile[];
}

export function sortFiles(files: readonly NamedFile[]): Sorted {
  const visible = files.filter(({ path }) => !path.split('/').some((part) => part.startsWith('.')));
  const bundle = visible.filter(({ path }) => nameOf(path) === MODEL || isWeightsFile(nameOf(path)));
  const rest = visible.filter((file) => !bundle.includes(file));
  const manifest = rest.find(({ path }) => nameOf(path) === STUDY);
  if (!manifest) return { bundle, study: [], data: [], responses: rest };
  const root = folderOf(manifest.path);
  const study = rest.flatMap((file) =>
    file.path.startsWith(root) ? [{ path: file.path.slice(root.length), blob: file.blob }] : [],
  );
  const beside = root === '' ? rest : rest.filter(({ path }) => !path.startsWith(root));
  const data = beside.map(({ path, blob }) => ({ path: path.slice(path.indexOf('/') + 1), blob }));
  return { bundle, study, data, responses: [] };
}

/** Names of the files of weights that a `model.json` lists; that of a single one where it lists none. */
export async function weightsOf({ blob }: NamedFile): Promise<string[]> {
  // The text is checked when the bundle is opened: here it only says what to fetch.
  const model: unknown = await blob
    .text()
    .then(JSON.parse, () => undefined)
    .catch(() => undefined);
  const names = Object.keys((model as { files?: object } | undefined)?.files ?? {}).filter(isWeightsFile);
  return names.length > 0 ? names : [WEIGHTS];
}

export const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** With its last slash; empty for a file that lies in no folder. */
export const folderOf = (path: string) => path.slice(0, path.lastIndexOf('/') + 1);

/** Name for people of files that belong together: their folder's, if they came in one. */
export function setName([first]: readonly NamedFile[], otherwise: string): string {
  return (first && folderOf(first.path).split('/').filter(Boolean).at(-1)) ?? otherwise;
}

/** A source whose file a worker can be given. */
export interface FileSource extends Source {
  readonly blob?: Blob;
}

export function sourceOf({ path, blob }: NamedFile): FileSource {
  return { ...blobSource(blob, path), blob };
}

export function folderOfFiles(files: readonly NamedFile[], name: string): Folder {
  return memoryFolder(
    files.map((file) => [file.path, blobSource(file.blob, `${name}/${file.path}`)] as const),
    name,
  );
}

/** What the `data:` paths of a study mean: files that were chosen with it. */
export function dataFolder(files: readonly NamedFile[]): Folder {
  const folder = folderOfFiles(files, 'data');
  const missing = new F2iError('IO', 'choose study.json together with the data files');
  return {
    ...folder,
    open: (path) =>
      folder.open(path).catch((error: unknown) => {
        throw error instanceof F2iError && error.code === 'IO' ? missing : error;
      }),
    // A list of what was chosen would tell nothing of what was not.
    list: () => Promise.reject(missing),
  };
}

export function fromList(list: ArrayLike<File>): NamedFile[] {
  return Array.from(list, (blob) => ({ path: blob.webkitRelativePath || blob.name, blob }));
}

/** Everything that was dropped, folders with all they hold. Must be called within the event's own turn. */
export function fromDrop(transfer: DataTransfer): Promise<NamedFile[]> {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter(
    (entry) => entry !== null,
  );
  if (entries.length === 0) return Promise.resolve(fromList(transfer.files));
  return Promise.all(entries.map((entry) => filesBelow(entry))).then((found) => found.flat());
}

async function filesBelow(entry: FileSystemEntry): Promise<NamedFile[]> {
  if (entry.isFile) {
    const blob = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    return [{ path: entry.fullPath.replace(/^\//, ''), blob }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: NamedFile[] = [];
  // A reader gives its entries in portions, the last of which is empty.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return found;
    for (const child of some) found.push(...(await filesBelow(child)));
  }
}
