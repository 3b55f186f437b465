import { createHash, randomBytes } from 'node:crypto';
import { constants, readFileSync, renameSync, rmSync } from 'node:fs';
import {
  copyFile,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import {
  bytesInWords,
  checkRange,
  F2iError,
  type FileContent,
  type Folder,
  relativePath,
  type Source,
  shortRead,
  throwIfAborted,
  type WriteFile,
} from '@fmri2image/core';
import { fileSyncSource } from './syncFile.ts';

/** One read() of the operating system gives at most 2 GiB. */
const largestRead = 2 ** 30;
/** Bytes that are hashed at once: their buffer is all that hashing needs. */
const hashedBytes = 8 * 2 ** 20;

/**
 * A file as a source. It is opened for each read, so that no handle can leak; a file that was changed or replaced
 * since is an IO error, never a mixture of two. Only regular files: a pipe would wait for ever.
 *
 * @param path as the user gave it
 * @param name what errors call it
 */
export async function fileSource(path: string, name = path): Promise<Source> {
  const identity = async (handle: FileHandle) => {
    const stats = await handle.stat();
    if (!stats.isFile()) {
      const found = stats.isDirectory() ? 'a folder' : 'a device, pipe or socket';
      throw new F2iError('IO', 'not a file', { file: name, expected: 'a regular file', found });
    }
    return { size: stats.size, key: `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}` };
  };
  const opened = await withHandle(path, name, identity);
  const assertSame = async (handle: FileHandle) => {
    if ((await identity(handle)).key === opened.key) return;
    throw new F2iError('IO', 'the file was changed while it was being read', { file: name });
  };
  const source: Source = {
    name,
    size: opened.size,
    path,
    async read(offset, length, signal) {
      throwIfAborted(signal, `reading ${name}`);
      checkRange(source, offset, length);
      return withHandle(path, name, async (handle) => {
        await assertSame(handle);
        const bytes = allocateBytes(length, name);
        for (let at = 0; at < length; ) {
          const wanted = Math.min(largestRead, length - at);
          const { bytesRead } = await handle.read(bytes, at, wanted, offset + at);
          if (bytesRead === 0) throw shortRead(name, offset, length, at);
          at += bytesRead;
          throwIfAborted(signal, `reading ${name}`);
        }
        return bytes;
      });
    },
    openSync: () => fileSyncSource(path, name),
    async digest(offset, length, signal) {
      checkRange(source, offset, length);
      return withHandle(path, name, async (handle) => {
        await assertSame(handle);
        const hash = createHash('sha256');
        const bytes = allocateBytes(Math.min(hashedBytes, length), name);
        for (let at = 0; at < length; ) {
          throwIfAborted(signal, `reading ${name}`);
          const wanted = Math.min(bytes.length, length - at);
          const { bytesRead } = await handle.read(bytes, 0, wanted, offset + at);
          if (bytesRead === 0) throw shortRead(name, offset, length, at);
          hash.update(bytes.subarray(0, bytesRead));
          at += bytesRead;
        }
        return hash.digest('hex');
      });
    },
  };
  return source;
}

function allocateBytes(length: number, file: string): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new F2iError('OUT_OF_MEMORY', `no room for ${bytesInWords(length)}`, { file, cause });
  }
}

async function withHandle<T>(
  path: string,
  name: string,
  use: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  try {
    // Opening a pipe for reading waits for a writer: look first.
    const stats = await stat(path);
    if (!stats.isFile() && !stats.isDirectory()) {
      throw new F2iError('IO', 'not a file', {
        file: name,
        expected: 'a regular file',
        found: 'a device, pipe or socket',
      });
    }
    const handle = await open(path, 'r');
    try {
      return await use(handle);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw ioError(error, name, 'read');
  }
}

/**
 * A folder on disk. Paths are resolved through symbolic links, and what lies outside the folder is not opened (USAGE)
 * unless `followLinks` says that links may lead anywhere: for folders of data that the user named, whose files often are
 * links to another disk, not for what a file inside names. Throws IO when it is missing or no folder; if an interrupted overwrite had moved it aside, it is first put
 * back, which `onRepair` reports.
 */
export async function nodeFolder(
  path: string,
  {
    name = path,
    onRepair,
    followLinks = false,
  }: { name?: string; onRepair?: (what: string) => void; followLinks?: boolean } = {},
): Promise<Folder> {
  let root: string;
  try {
    await restoreMovedAside(resolve(path), onRepair);
    root = await realpath(path);
    if (!(await stat(root)).isDirectory()) throw new F2iError('IO', 'not a folder', { file: name });
  } catch (error) {
    throw ioError(error, name, 'read');
  }
  const isInside = (real: string) => followLinks || real.startsWith(root.endsWith(sep) ? root : root + sep);

  async function walk(folder: string, found: string[]): Promise<void> {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const full = join(folder, entry.name);
      if (entry.isDirectory()) await walk(full, found);
      else if (entry.isFile()) found.push(full);
      else if (entry.isSymbolicLink()) {
        // Links to files inside count as files; links to folders are not followed, for they may form circles.
        const real = await realpath(full).catch(() => undefined);
        if (real !== undefined && isInside(real) && (await stat(real)).isFile()) found.push(full);
      }
    }
  }
  return {
    name,
    async list() {
      const found: string[] = [];
      try {
        await walk(root, found);
      } catch (error) {
        throw ioError(error, name, 'read');
      }
      return found.map((full) => relative(root, full).split(sep).join('/')).sort();
    },
    async open(inner) {
      const checked = relativePath(inner, name);
      const label = join(name, checked);
      let real: string;
      try {
        real = await realpath(join(root, checked));
      } catch (error) {
        throw ioError(error, label, 'read');
      }
      if (!isInside(real)) {
        throw new F2iError('USAGE', 'a symbolic link leads out of the folder', {
          file: label,
          expected: `a file inside ${name}`,
          found: real,
        });
      }
      return fileSource(real, label);
    },
  };
}

export interface WriteOptions {
  /** Replace what is there; it stays untouched until the new content is complete. Without it, USAGE. */
  force?: boolean;
  signal?: AbortSignal;
  /** Told in words about leftovers of killed processes that were removed, or files that were put back. */
  onRepair?: (what: string) => void;
}

/**
 * Writes a file so that its name never shows a part: under a temporary name in the same folder, flushed to disk, then
 * renamed. Missing parent folders are made. On an error, a cancellation, SIGINT or SIGTERM nothing is left behind; what
 * a SIGKILL leaves is removed by the next write to the same name. Throws IO (a full disk says so), USAGE.
 */
export async function writeFileAtomic(path: string, content: FileContent, options: WriteOptions = {}) {
  await writeAtomic(path, options, async (temporary) => {
    await writeFile(temporary, content, path, options.signal);
  });
}

/** Takes a file that is there already into an output folder, without copying it where the disk allows that. */
export type AdoptFile = (path: string, existing: string) => Promise<void>;

/**
 * Writes a folder so that its name never shows a part; as `writeFileAtomic`, for all the files that `fill` writes.
 *
 * ```ts
 * await writeFolderAtomic('model', async (write) => {
 *   await write('model.json', text);
 *   await write('weights.safetensors', pieces());
 * });
 * ```
 */
export async function writeFolderAtomic(
  path: string,
  fill: (write: WriteFile, adopt: AdoptFile) => Promise<void>,
  options: WriteOptions = {},
): Promise<void> {
  await writeAtomic(path, options, async (temporary) => {
    await mkdir(temporary);
    const folders = new Set([temporary]);
    const place = async (inner: string): Promise<{ full: string; checked: string }> => {
      const checked = relativePath(inner, path);
      const full = join(temporary, checked);
      await mkdir(dirname(full), { recursive: true });
      for (let folder = dirname(full); folder !== temporary; folder = dirname(folder)) folders.add(folder);
      return { full, checked };
    };
    const write: WriteFile = async (inner, content) => {
      const { full, checked } = await place(inner);
      await writeFile(full, content, join(path, checked), options.signal);
    };
    await fill(write, async (inner, existing) => {
      const { full } = await place(inner);
      // Other disks, and some file systems, have no second name for a file.
      await link(existing, full).catch(() => copyFile(existing, full, constants.COPYFILE_EXCL));
    });
    for (const folder of folders) await flushFolder(folder);
  });
}

async function writeFile(
  full: string,
  content: FileContent,
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  const handle = await open(full, 'wx').catch((error) => {
    if (error.code !== 'EEXIST') throw ioError(error, name, 'write');
    throw new F2iError('INVALID_ARGUMENT', 'the file was already written', { file: name });
  });
  try {
    for await (const piece of piecesOf(content)) {
      throwIfAborted(signal, `writing ${name}`);
      for (let at = 0; at < piece.length; ) {
        at += (await handle.write(piece, at, Math.min(largestRead, piece.length - at))).bytesWritten;
      }
    }
    await handle.sync();
  } catch (error) {
    throw ioError(error, name, 'write');
  } finally {
    await handle.close();
  }
  throwIfAborted(signal, `writing ${name}`);
}

function piecesOf(content: FileContent): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (typeof content === 'string') return [new TextEncoder().encode(content)];
  return content instanceof Uint8Array ? [content] : content;
}

async function writeAtomic(
  path: string,
  { force = false, signal, onRepair }: WriteOptions,
  produce: (temporary: string) => Promise<void>,
): Promise<void> {
  throwIfAborted(signal, `writing ${path}`);
  const final = resolve(path);
  const parent = dirname(final);
  refuseDangerous(final, path);
  const token = `${processMark()}-${randomBytes(4).toString('hex')}`;
  const temporary = join(parent, `.${basename(final)}.tmp-${token}`);
  const aside = join(parent, `.${basename(final)}.old-${token}`);
  try {
    await mkdir(parent, { recursive: true });
    await repair(final, onRepair);
    if (!force && (await exists(final))) throw alreadyThere(path);
    guard(temporary);
    await produce(temporary);
    throwIfAborted(signal, `writing ${path}`);
    await publish(temporary, final, aside, force, path);
    await flushFolder(parent);
  } catch (error) {
    throw ioError(error, path, 'write');
  } finally {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    unguard(temporary);
  }
}

/** Gives the finished file or folder its name. */
async function publish(temporary: string, final: string, aside: string, force: boolean, path: string) {
  const isFolder = (await lstat(temporary)).isDirectory();
  const old = await lstat(final).catch(() => undefined);
  if (old && !force) throw alreadyThere(path);
  if (old && (isFolder || old.isDirectory())) {
    // No call replaces a folder at once: move the old one aside, by two steps between which no signal is delivered.
    // If the process is killed between them, the next reader or writer puts the old one back.
    renameSync(final, aside);
    try {
      renameSync(temporary, final);
    } catch (error) {
      renameSync(aside, final);
      throw error;
    }
    await rm(aside, { recursive: true, force: true });
  } else if (isFolder || force) {
    await rename(temporary, final);
  } else {
    // A link, unlike a rename, fails when another process has made the file meanwhile.
    await link(temporary, final).catch(async (error) => {
      if (error.code === 'EEXIST') throw alreadyThere(path);
      await rename(temporary, final);
    });
    await unlink(temporary).catch(() => undefined);
  }
}

function alreadyThere(path: string): F2iError {
  return new F2iError('USAGE', 'it exists already; force replaces it', { file: path });
}

/** Replacing the home folder or one that the process stands in would destroy what nobody meant. */
function refuseDangerous(final: string, path: string): void {
  for (const [what, place] of [
    ['working', process.cwd()],
    ['home', homedir()],
  ] as const) {
    if (`${place}${sep}`.startsWith(final.endsWith(sep) ? final : final + sep)) {
      throw new F2iError('USAGE', `an output may not replace the ${what} folder or one above it`, {
        file: path,
      });
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Makes a rename durable. Some file systems cannot flush a folder; they keep their promises in other ways. */
async function flushFolder(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

// --- Leftovers -----------------------------------------------------------------------------------------------

/** Names of temporaries tell processes of other machines, which share the disk, from ours. */
const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** When a process started, in the kernel's ticks: tells it from a later one of the same number. 0: unknown. */
function startOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Fields are counted after the command's name, which may contain anything but ends at the last parenthesis.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '0';
  } catch {
    return '0';
  }
}

/** Names this process among all that share a disk: number, start, machine. */
export const processMark = (): string => `${process.pid}-${startOf(process.pid)}-${host}`;

/** Whether a process of this machine that was named so has ended. Of other machines nothing is known: false. */
export function hasEnded(mark: string): boolean {
  const match = /^(\d+)-(\d+)-([0-9a-f]{8})$/.exec(mark);
  return match !== null && match[3] === host && !isAlive(Number(match[1]), match[2]!);
}

function isAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return start === '0' || startOf(pid) === start;
}

interface Leftover {
  path: string;
  kind: 'tmp' | 'old';
  /** Written by a process that no longer runs on this machine. */
  isDead: boolean;
}

async function leftoversOf(final: string): Promise<Leftover[]> {
  const parent = dirname(final);
  const prefix = `.${basename(final)}.`;
  const names = await readdir(parent).catch(() => []);
  return names.flatMap((name) => {
    const match = name.startsWith(prefix)
      ? /^(tmp|old)-(\d+)-(\d+)-([0-9a-f]{8})-[0-9a-f]{8}$/.exec(name.slice(prefix.length))
      : null;
    if (!match) return [];
    const [, kind, pid, start, machine] = match as unknown as [string, 'tmp' | 'old', string, string, string];
    return [{ path: join(parent, name), kind, isDead: machine === host && !isAlive(Number(pid), start) }];
  });
}

/** Puts back what an overwrite that was killed between its two renames had moved aside. */
async function restoreMovedAside(final: string, onRepair: WriteOptions['onRepair']): Promise<void> {
  if (await exists(final)) return;
  for (const { path, kind, isDead } of await leftoversOf(final)) {
    if (kind !== 'old' || !isDead) continue;
    await rename(path, final);
    onRepair?.(`put back ${final}, which an interrupted overwrite had moved to ${basename(path)}`);
    return;
  }
}

/** Cleans up after killed processes; leaves alone what may still be written to. */
async function repair(final: string, onRepair: WriteOptions['onRepair']): Promise<void> {
  await restoreMovedAside(final, onRepair);
  for (const { path, isDead } of await leftoversOf(final)) {
    if (isDead) {
      await rm(path, { recursive: true, force: true });
      onRepair?.(`removed ${path}, left by a process that was killed while it wrote`);
    } else {
      onRepair?.(`left ${path} alone: another process may be writing it`);
    }
  }
}

// --- Signals -------------------------------------------------------------------------------------------------

const unfinished = new Set<string>();
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function guard(temporary: string): void {
  if (unfinished.size === 0) {
    process.on('exit', removeUnfinished);
    for (const signal of signals) process.on(signal, onSignal);
  }
  unfinished.add(temporary);
}

function unguard(temporary: string): void {
  if (unfinished.delete(temporary) && unfinished.size === 0) stopGuarding();
}

function stopGuarding(): void {
  process.off('exit', removeUnfinished);
  for (const signal of signals) process.off(signal, onSignal);
}

function removeUnfinished(): void {
  for (const temporary of unfinished) rmSync(temporary, { recursive: true, force: true });
}

/** Where the program handles the signal itself, it decides what follows; else the process ends as it would have. */
function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  removeUnfinished();
  stopGuarding();
  process.kill(process.pid, signal);
}

// --- Errors --------------------------------------------------------------------------------------------------

const reasons: Record<string, string> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file is larger than allowed',
  EROFS: 'the file system is read-only',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'too many open files',
  ELOOP: 'symbolic links form a circle',
  EIO: 'the device reports an error',
};

/** An error of the operating system as an F2iError IO that names the path; other errors unchanged. */
export function ioError(error: unknown, path: string, doing: 'read' | 'write'): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (error instanceof F2iError || !(error instanceof Error) || typeof code !== 'string') return error;
  if (!('syscall' in error)) return error;
  const reason = reasons[code] ?? error.message;
  return new F2iError('IO', `cannot ${doing} it: ${reason} (${code})`, { file: path, cause: error });
}
