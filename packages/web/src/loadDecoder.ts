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
import { type DirectoryHandleLike, handleFolder, isDirectoryHandle } from './handle.ts';
import { BACKEND_OPTIONS, checkBackendOptions } from './options.ts';
import { absoluteUrl, urlFolder } from './url.ts';

/**
 * A bundle: the URL of its folder, the files of a picker or a drop, a `FileSystemDirectoryHandle`, or any `Folder`.
 */
export type DecoderSource = string | URL | DirectoryHandleLike | PortableBundle;

const SOURCES = 'a URL, files, a directory handle or a Folder';

export interface LoadDecoderOptions extends BackendOptions, LoadOptions {}
const OPTIONS: readonly (keyof LoadDecoderOptions)[] = [...LOAD_OPTIONS, ...BACKEND_OPTIONS];

/**
 * Opens a fitted decoder: verifies the bundle, and puts its weights on a device.
 *
 * @example
 * const decoder = await loadDecoder('/bundles/subject-1/', { worker, onProgress });
 * for await (const { trial, image } of decoder.reconstruct(betas)) context.putImageData(image.toImageData(), 0, 0);
 * @throws INVALID_ARGUMENT for an option that there is not, or a value that it does not take; IO for what is missing or
 *   cannot be fetched, FORMAT for a damaged bundle; UNSUPPORTED for a device, a version or a kind of decoder that is not
 *   available; OUT_OF_MEMORY, CANCELLED, WORKER_LOST
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
    const kept = backend ? 'backend' : typeof settings.device === 'object' ? 'device' : settings.gpu && 'gpu';
    if (kept) throw staysHere(kept);
    const entry = '@fmri2image/web/worker';
    return loadInWorker(sendable(source), { worker, workerTimeout, entry, settings, signal, onProgress });
  }
  return loadLocally(folderOf(source, signal), {
    signal,
    onProgress,
    stage,
    precision,
    subject,
    backend,
    openBackend: () => createBackend(device),
    memory: { limit: device.memoryLimit },
  });
}

function folderOf(source: DecoderSource, signal: AbortSignal | undefined): Folder {
  if (typeof source === 'string' || source instanceof URL) return urlFolder(absoluteUrl(source), signal);
  if (isDirectoryHandle(source)) return handleFolder(source);
  return bundleFolder(source, SOURCES);
}

/** What a worker can be told; a folder answers its questions. */
function sendable(source: DecoderSource): unknown {
  // A worker stands at another address than the page: relative ones are the page's.
  if (typeof source === 'string' || source instanceof URL) return absoluteUrl(source);
  if (isDirectoryHandle(source)) return source;
  return bundleMessage(source, SOURCES);
}

function staysHere(field: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', 'it cannot go into a worker', {
    field,
    expected: `no ${field}: the worker opens a device of its own`,
    found: `${field} and worker`,
  });
}
