import { checkRange, type Folder, type Source } from '../data/source.ts';
import { throwIfAborted } from '../error.ts';
import type { FolderQuestion, OpenedFile } from './protocol.ts';

/** In the worker: a folder that stayed with the application. */
export function remoteFolder(name: string, ask: (what: FolderQuestion) => Promise<unknown>): Folder {
  return {
    name,
    list: async () => (await ask({ ask: 'list' })) as string[],
    async open(path) {
      const opened = (await ask({ ask: 'open', path })) as OpenedFile;
      const source: Source = {
        name: opened.name,
        size: opened.size,
        async read(offset, length, signal) {
          throwIfAborted(signal, `reading ${opened.name}`);
          checkRange(source, offset, length);
          return (await ask({ ask: 'read', file: opened.file, offset, length })) as Uint8Array;
        },
      };
      return source;
    },
  };
}

/** With the application: answers what the worker asks. */
export function folderAnswers(
  folder: Folder,
  signal: AbortSignal,
): (what: FolderQuestion) => Promise<unknown> {
  const files: Source[] = [];
  return async (what) => {
    if (what.ask === 'list') return folder.list();
    if (what.ask === 'read') return files[what.file]!.read(what.offset, what.length, signal);
    const source = await folder.open(what.path);
    return { file: files.push(source) - 1, name: source.name, size: source.size } satisfies OpenedFile;
  };
}
