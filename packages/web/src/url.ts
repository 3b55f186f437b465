import {
  bytesSource,
  checkRange,
  F2iError,
  type Folder,
  joinBytes,
  relativePath,
  type Source,
  shortRead,
  throwIfAborted,
} from '@fmri2image/core';

/** The first request asks for so much: small files come whole, and large ones tell their size. */
const FIRST_BYTES = 1 << 20;

/** The address that a text means on this page, without what follows `#`. */
export function absoluteUrl(source: string | URL): string {
  const { document, location } = globalThis as {
    document?: { baseURI?: string };
    location?: { href?: string };
  };
  const base = document?.baseURI ?? location?.href;
  let url: URL;
  try {
    url = new URL(source, base);
  } catch (cause) {
    throw new F2iError('INVALID_ARGUMENT', 'not a URL', {
      field: 'source',
      expected: 'the address of a folder that holds a bundle',
      found: String(source),
      cause,
    });
  }
  url.hash = '';
  return url.href;
}

/**
 * The files of a folder on a server. It cannot be listed; files are fetched when they are opened.
 *
 * @param signal ends what opening waits for
 */
export function urlFolder(address: string, signal?: AbortSignal): Folder {
  return {
    name: address,
    async list() {
      throw new F2iError('UNSUPPORTED', 'a folder on a server cannot be listed', { file: address });
    },
    open: (path) => urlSource(addressOf(address, relativePath(path, address)), signal),
  };
}

/** A query (a signed address, say) stays with every file. */
function addressOf(folder: string, path: string): string {
  const url = new URL(folder);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${path.split('/').map(encodeURIComponent).join('/')}`;
  return url.href;
}

/**
 * A file on a server: ranges of it where the server gives them, else the whole, kept in memory.
 *
 * @throws IO for a file that is missing, a server that does not answer or refuses, a body that ends early, a file that
 *   changes while it is read; FORMAT for a page in the file's place
 */
export async function urlSource(address: string, signal?: AbortSignal): Promise<Source> {
  const response = await request(address, { range: [0, FIRST_BYTES], signal });
  const total = response.status === 206 ? totalOf(response) : undefined;
  if (response.status === 206 && total === undefined) {
    // A server elsewhere may hide how long the file is: it is fetched as a whole.
    await response.body?.cancel();
    return wholeSource(await request(address, { signal }), address, signal);
  }
  if (total === undefined) return wholeSource(response, address, signal);

  const first = await bodyOf(response, address, signal);
  if (first.length !== Math.min(FIRST_BYTES, total)) {
    throw shortRead(address, 0, Math.min(FIRST_BYTES, total), first.length);
  }
  if (first.length === total) return bytesSource(first, address);
  const version = versionOf(response);
  const source: Source = {
    name: address,
    size: total,
    async read(offset, length, readSignal) {
      throwIfAborted(readSignal, `reading ${address}`);
      checkRange(source, offset, length);
      if (offset + length <= first.length) return first.subarray(offset, offset + length);
      const answer = await request(address, { range: [offset, length], signal: readSignal });
      if (answer.status !== 206 || totalOf(answer) !== total || versionOf(answer) !== version) {
        await answer.body?.cancel();
        throw new F2iError('IO', 'the file was changed while it was being read', { file: address });
      }
      const bytes = await bodyOf(answer, address, readSignal);
      if (bytes.length !== length) throw shortRead(address, offset, length, bytes.length);
      return bytes;
    },
  };
  return source;
}

async function wholeSource(
  response: Response,
  address: string,
  signal: AbortSignal | undefined,
): Promise<Source> {
  const bytes = await bodyOf(response, address, signal);
  // The length of what was packed on the way is not that of the file.
  const announced = response.headers.get('content-encoding') ? null : response.headers.get('content-length');
  if (announced !== null && Number(announced) !== bytes.length) {
    throw shortRead(address, 0, Number(announced), bytes.length);
  }
  return bytesSource(bytes, address);
}

async function request(
  address: string,
  { range, signal }: { range?: readonly [offset: number, length: number]; signal?: AbortSignal | undefined },
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, {
      ...(range && { headers: { range: `bytes=${range[0]}-${range[0] + range[1] - 1}` } }),
      signal: signal ?? null,
    });
  } catch (cause) {
    throwIfAborted(signal, `reading ${address}`);
    throw new F2iError(
      'IO',
      'it could not be fetched: the server does not answer, or does not allow this page to read it (CORS)',
      { file: address, cause },
    );
  }
  if (response.status === 416 && range?.[0] === 0) {
    // Nothing to take a range of: an empty file, which the whole will show.
    await response.body?.cancel();
    return request(address, { signal });
  }
  if (!response.ok) {
    await response.body?.cancel();
    const found = `${response.status} ${response.statusText}`.trim();
    throw new F2iError('IO', response.status === 404 ? 'no such file on the server' : 'the server refused', {
      file: address,
      found: `HTTP status ${found}`,
    });
  }
  const type = response.headers.get('content-type') ?? '';
  if (/^text\/html|^application\/xhtml/i.test(type)) {
    await response.body?.cancel();
    throw new F2iError('FORMAT', 'the server answered with a web page: is the address that of a bundle?', {
      file: address,
      expected: 'the bytes of the file',
      found: type,
    });
  }
  return response;
}

async function bodyOf(
  response: Response,
  address: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  try {
    const reader = response.body?.getReader();
    for (let piece = await reader?.read(); piece && !piece.done; piece = await reader!.read()) {
      pieces.push(piece.value);
    }
  } catch (cause) {
    throwIfAborted(signal, `reading ${address}`);
    throw new F2iError('IO', 'the connection broke before the whole file had arrived', {
      file: address,
      found: `${pieces.reduce((sum, { length }) => sum + length, 0)} bytes`,
      cause,
    });
  }
  return joinBytes(pieces);
}

/** Bytes of the whole file, by `Content-Range: bytes 0-99/1234`. */
function totalOf(response: Response): number | undefined {
  const total = /\/(\d+)\s*$/.exec(response.headers.get('content-range') ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}

/** What changes when the file does; pages elsewhere may not see it. */
function versionOf({ headers }: Response): string | null {
  return headers.get('etag') ?? headers.get('last-modified');
}
