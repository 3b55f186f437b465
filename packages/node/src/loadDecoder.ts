import { freemem } from 'node:os';
import { fileURLToPath } from 'node:url';
import {
  bundleFolder,
  bundleMessage,
  checkOptions,
  F2iError,
  type Folder,
  LOAD_OPTIONS,
  type LoadedDecoder,
  type LoadOptions,
  loadInWorker,
  loadLocally,
  type PortableBundle,
  throwIfAborted,
} from '@fmri2image/core';
import { type BackendOptions, createBackend } from './backend.ts';
import { nodeFolder, writeFileAtomic } from './files.ts';
import { BACKEND_OPTIONS, checkBackendOptions } from './options.ts';

/** A bundle: the path or file: URL of its folder, its files by name, or any `Folder`. */
export type DecoderSource = string | URL | PortableBundle;

const SOURCES = 'a path, a file: URL, files or a Folder';

export interface LoadDecoderOptions extends BackendOptions, LoadOptions {}
const OPTIONS: readonly (keyof LoadDecoderOptions)[] = [...LOAD_OPTIONS, ...BACKEND_OPTIONS];

/**
 * Opens a fitted decoder: verifies the bundle, and puts its weights on a device. Large matrices of published models are
 * mapped from disk: their files must not change while the decoder lives, and one that is cut short ends the process. Files
 * that are replaced by renaming are safe.
 *
 * @example
 * const decoder = await loadDecoder('subject-1.bundle', { device: 'cpu' });
 * for await (const { trial, image } of decoder.reconstruct(betas)) await image?.writePng(`trial-${trial}.png`);
 * await decoder.dispose();
 * @throws INVALID_ARGUMENT for an option that there is not, or a value that it does not take; IO for a file that is missing,
 *   FORMAT for a damaged one; UNSUPPORTED for a device, a version or a kind of decoder that is not available; OUT_OF_MEMORY, CANCELLED, WORKER_LOST
 */
export async function loadDecoder(
  source: DecoderSource,
  options: LoadDecoderOptions = {},
): Promise<LoadedDecoder> {
  checkOptions(options, OPTIONS);
  const { signal, onProgress, backend, worker, workerTimeout, ...settings } = options;
  const { stage, precision, subject, ...device } = settings;
  checkBackendOptions(device);
  throwIfAborted(signal, 'loading');
  if (worker) {
    if (backend) throw bothGiven();
    const entry = '@fmri2image/node/worker';
    return loadInWorker(sendable(source), {
      worker,
      workerTimeout,
      entry,
      settings,
      signal,
      onProgress,
      writeFile,
    });
  }
  return loadLocally(await folderOf(source), {
    signal,
    onProgress,
    stage,
    precision,
    subject,
    backend,
    openBackend: () => createBackend(device),
    memory: { available: availableMemory(), limit: device.memoryLimit },
    writeFile,
  });
}

/** Bytes that this process may still take; containers may give less than the machine has. */
function availableMemory(): number {
  return process.availableMemory?.() ?? freemem();
}

async function folderOf(source: DecoderSource): Promise<Folder> {
  if (typeof source === 'string' || source instanceof URL) return nodeFolder(pathOf(source));
  return bundleFolder(source, SOURCES);
}

/** The path that a text or URL means. Nothing is read over the network: brain data stay where they are. */
function pathOf(source: string | URL): string {
  const text = String(source);
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme === 'file') return fileURLToPath(text);
  if (source instanceof URL || scheme === 'http' || scheme === 'https') {
    throw new F2iError('USAGE', 'in Node decoders are opened from files', {
      field: 'source',
      expected: 'a path or a file: URL',
      found: text,
    });
  }
  return text;
}

/** What a worker thread can be told; a folder answers its questions. */
function sendable(source: DecoderSource): unknown {
  if (typeof source === 'string' || source instanceof URL) return pathOf(source);
  return bundleMessage(source, SOURCES);
}

function bothGiven(): F2iError {
  return new F2iError('INVALID_ARGUMENT', 'a backend cannot go into a worker', {
    field: 'backend',
    expected: 'either a backend or a worker',
    found: 'both',
  });
}

/** What `image.writePng(path)` does. */
const writeFile: NonNullable<Parameters<typeof loadLocally>[1]['writeFile']> = (
  path,
  bytes,
  { force, signal },
) =>
  writeFileAtomic(path instanceof URL ? fileURLToPath(path) : path, bytes, {
    ...(force !== undefined && { force }),
    ...(signal && { signal }),
  });
