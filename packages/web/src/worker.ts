import { serveDecoders, type WorkerLike } from '@fmri2image/core';
import { type DecoderSource, loadDecoder } from './loadDecoder.ts';

// The entry of a worker in which decoders live: `loadDecoder(url, { worker })` finds them here. On a page there is
// nobody to serve.
const scope = globalThis as unknown as { importScripts?: unknown; document?: unknown } & WorkerLike;
if (typeof scope.importScripts === 'function' && scope.document === undefined) {
  serveDecoders(scope, (source, options) => loadDecoder(source as DecoderSource, options));
}

export { loadDecoder };
