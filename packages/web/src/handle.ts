import { blobSource, F2iError, type FileLike, type Folder, relativePath } from '@fmri2image/core';

/** The part of `FileSystemDirectoryHandle` that is needed: a folder that was picked, or of the private file system. */
export interface DirectoryHandleLike {
  readonly kind: 'directory';
  readonly name: string;
  getDirectoryHandle(name: string): Promise<DirectoryHandleLike>;
  getFileHandle(name: string): Promise<{ getFile(): Promise<FileLike> }>;
  /** Names and handles of what it holds; absent in old browsers. */
  entries?(): AsyncIterable<[string, unknown]>;
}

export function isDirectoryHandle(value: unknown): value is DirectoryHandleLike {
  const { kind, getFileHandle } = (value ?? {}) as Partial<DirectoryHandleLike>;
  return kind === 'directory' && typeof getFileHandle === 'function';
}

/** A folder behind a handle. */
export function handleFolder(handle: DirectoryHandleLike): Folder {
  async function walk(folder: DirectoryHandleLike, prefix: string, found: string[]): Promise<void> {
    for await (const [name, entry] of folder.entries?.() ?? []) {
      if (isDirectoryHandle(entry)) await walk(entry, `${prefix}${name}/`, found);
      else found.push(prefix + name);
    }
  }
  return {
    name: handle.name,
    async list() {
      const found: string[] = [];
      await walk(handle, '', found);
      return found.sort();
    },
    async open(path) {
      const parts = relativePath(path, handle.name).split('/');
      const file = `${handle.name}/${parts.join('/')}`;
      try {
        let folder = handle;
        for (const part of parts.slice(0, -1)) folder = await folder.getDirectoryHandle(part);
        const opened = await (await folder.getFileHandle(parts.at(-1)!)).getFile();
        return blobSource(opened, file);
      } catch (cause) {
        throw explain(cause, file);
      }
    },
  };
}

function explain(cause: unknown, file: string): F2iError {
  const name = cause instanceof Error ? cause.name : '';
  if (name === 'NotFoundError') return new F2iError('IO', 'no such file', { file, cause });
  if (name === 'TypeMismatchError') return new F2iError('IO', 'not a file', { file, cause });
  if (name === 'NotAllowedError') {
    return new F2iError('IO', 'the browser does not allow this page to read it', { file, cause });
  }
  return new F2iError('IO', `it could not be opened: ${String(cause)}`, { file, cause });
}
