import { F2iError } from '@fmri2image/core';
import type { NamedFile } from './files.ts';

/**
 * Fetches files below an address of this page's own origin into memory: once read, they serve again without network.
 *
 * @param onProgress bytes so far; the total is 0 where the server does not say
 */
export async function fetchFiles(
  base: string,
  paths: readonly string[],
  { signal, onProgress }: { signal: AbortSignal; onProgress: (done: number, total: number) => void },
): Promise<NamedFile[]> {
  const folder = new URL(base.endsWith('/') ? base : `${base}/`, document.baseURI);
  if (folder.origin !== location.origin) {
    throw new F2iError(
      'UNSUPPORTED',
      'this page connects to its own address only: download the files, then open them',
      {
        file: base,
        expected: `an address that begins with ${location.origin}`,
        found: folder.origin,
      },
    );
  }
  const files: NamedFile[] = [];
  let done = 0;
  for (const path of paths) {
    const response = await request(new URL(path, folder), signal);
    const total = Number(response.headers.get('content-length') ?? 0);
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    let read = 0;
    const reader = response.body!.getReader();
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        pieces.push(next.value as Uint8Array<ArrayBuffer>);
        read += next.value.length;
        onProgress(done + read, done + total);
      }
    } catch (cause) {
      throw failed(path, signal, cause);
    }
    done += read;
    files.push({ path, blob: new Blob(pieces) });
  }
  return files;
}

async function request(url: URL, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, { signal }).catch((cause: unknown) => {
    throw failed(url.pathname, signal, cause);
  });
  if (response.ok) return response;
  throw new F2iError('IO', 'the server does not give this file', {
    file: url.pathname,
    expected: 'status 200',
    found: `${response.status} ${response.statusText}`.trim(),
  });
}

function failed(file: string, signal: AbortSignal, cause: unknown): F2iError {
  if (signal.aborted) return new F2iError('CANCELLED', 'reading was cancelled', { file, cause });
  return new F2iError('IO', 'the file could not be fetched: is this computer offline?', { file, cause });
}
