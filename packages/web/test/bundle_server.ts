import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { keptBundle } from '@fmri2image/core/conformance';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Address of a server of bundles: see `answers`. */
    bundles: string;
  }
}

/** Bytes that no other place of the file has in the same order. */
export const LARGE = Uint8Array.from({ length: 3 * 2 ** 20 + 17 }, (_, i) => (i * 2654435761) >>> 24);

type Answer = (request: IncomingMessage, response: ServerResponse, body: Uint8Array) => void;

/** Servers as they are: the first part of the path chooses one. */
const answers: Readonly<Record<string, Answer>> = {
  /** With ranges. */
  ranges: (request, response, body) => range(request, response, body, { etag: '"1"' }),
  /** Of another site: how long the file is stays hidden from pages. */
  hidden: (request, response, body) => range(request, response, body, {}, false),
  /** Without ranges. */
  whole: (_, response, body) => response.writeHead(200, { 'content-length': body.length }).end(body),
  /** An application that answers with its page whatever is asked for. */
  page: (_, response) =>
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<!doctype html>'),
  forbidden: (_, response) => response.writeHead(403).end('no'),
  /** The connection breaks. */
  broken: (_, response, body) => {
    response.writeHead(200, { 'content-length': body.length });
    response.write(body.subarray(0, body.length >> 1), () => response.destroy());
  },
  /** A range that is shorter than was asked for. */
  short: (request, response, body) => range(request, response, body.subarray(0, -5), {}, true, body.length),
  /** The file is replaced between two requests. */
  changing: (request, response, body) =>
    range(request, response, body, { etag: `"${Math.random()}"`, 'cache-control': 'no-store' }),
  /** The weights were cut when they were copied. */
  truncated: (request, response, body) =>
    range(request, response, request.url!.includes('.json') ? body : body.subarray(0, -9)),
  /** Never answers. */
  silent: () => {},
};

function range(
  { headers }: IncomingMessage,
  response: ServerResponse,
  body: Uint8Array,
  more: Record<string, string> = {},
  exposed = true,
  total = body.length,
): void {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
  if (first === undefined) return void response.writeHead(200, more).end(body);
  const end = Math.min(Number(last) + 1, total);
  response
    .writeHead(206, {
      'content-range': `bytes ${first}-${end - 1}/${total}`,
      ...(exposed && { 'access-control-expose-headers': 'content-range, etag' }),
      ...more,
    })
    .end(body.subarray(Number(first), end));
}

/** Serves /ANSWER/BUNDLE/FILE, and LARGE for any file of the bundle `large`, to pages of every origin. */
export default async function setup(project: TestProject): Promise<() => void> {
  const server = createServer(async (request, response) => {
    response.setHeader('access-control-allow-origin', '*');
    const [how = '', name = '', file = ''] = new URL(request.url!, 'http://x').pathname.slice(1).split('/');
    try {
      const body = name === 'large' ? LARGE : await bytesOf(name, file);
      answers[how]!(request, response, body);
    } catch {
      response.writeHead(404).end('no such file');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  project.provide('bundles', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

async function bytesOf(name: string, file: string): Promise<Uint8Array> {
  const source = await keptBundle(name).open(file);
  return source.read(0, source.size);
}
