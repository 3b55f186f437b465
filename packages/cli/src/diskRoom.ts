import { readdir, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { bytesInWords, F2iError } from '@fmri2image/core';

/** A part of what a command will write. */
export interface Written {
  /** For people: `weights`. */
  readonly what: string;
  readonly bytes: number;
  /** A path on the file system that takes it; it need not exist yet. */
  readonly at: string;
}

/** A file system as far as it concerns a plan. */
export interface FileSystem {
  readonly id: number | string;
  /** Bytes that this user may still write; undefined where nobody knows. */
  readonly free: number | undefined;
}

/**
 * Holds what a command will write against what is free, before it begins.
 *
 * @param kept bytes of it that an earlier run has left on the same file system
 * @param inspect a file system; for tests
 * @returns the plan in words: `47.3 MB (weights 46.9 MB, statistics 0.4 MB), 45.9 GB are free`
 * @throws F2iError IO naming path, bytes needed and bytes free
 */
export async function checkDiskRoom(
  parts: readonly Written[],
  kept = 0,
  inspect: (path: string) => Promise<FileSystem> = fileSystemOf,
): Promise<string> {
  const systems = new Map<FileSystem['id'], { free: number | undefined; parts: Written[] }>();
  for (const part of parts) {
    const { id, free } = await inspect(part.at);
    const known = systems.get(id);
    if (known) known.parts.push(part);
    else systems.set(id, { free, parts: [part] });
  }
  const words: string[] = [];
  let left = kept;
  for (const { free, parts: own } of systems.values()) {
    const needed = Math.max(0, sum(own) - left);
    left = 0;
    const list = own.map(({ what, bytes }) => `${what} ${bytesInWords(bytes)}`).join(', ');
    const beyond = kept > 0 && needed < sum(own) ? ', of which an earlier run has made a part' : '';
    const room = free === undefined ? 'what is free is not known' : `${bytesInWords(free)} are free`;
    words.push(
      `${bytesInWords(sum(own))}${own.length > 1 || beyond ? ` (${list}${beyond})` : ` of ${own[0]!.what}`}; ${room}`,
    );
    if (free !== undefined && needed > free) {
      throw new F2iError('IO', 'there is not enough room on the disk; nothing was written', {
        file: own[0]!.at,
        expected: `${bytesInWords(needed)} (${list})`,
        found: `${bytesInWords(free)} free on its file system`,
      });
    }
  }
  return words.join('; elsewhere ');
}

const sum = (parts: readonly Written[]) => parts.reduce((all, { bytes }) => all + bytes, 0);

/** The file system of a path, or of the nearest folder above it that exists. */
export async function fileSystemOf(path: string): Promise<FileSystem> {
  let at = resolve(path);
  let found = await device(at);
  while (found === undefined && dirname(at) !== at) {
    at = dirname(at);
    found = await device(at);
  }
  if (found === undefined) return { id: 'unknown', free: undefined };
  // Some file systems (of networks, of users) refuse to tell, or say 0 blocks of anything.
  const known = await statfs(at).catch(() => undefined);
  return {
    id: found,
    free: known === undefined || known.bsize === 0 ? undefined : known.bavail * known.bsize,
  };
}

/** Undefined where there is nothing of this name, or nothing that may be seen. */
const device = (path: string): Promise<number | undefined> =>
  stat(path).then(
    ({ dev }) => dev,
    () => undefined,
  );

/** Bytes that the files of a folder take on the disk: what is only reserved does not count. 0 for no folder. */
export async function allocatedBytes(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = names.map((name) =>
    stat(join(folder, name)).then(
      ({ blocks }) => 512 * blocks,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((all, size) => all + size, 0);
}
