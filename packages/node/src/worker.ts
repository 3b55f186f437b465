import { parentPort } from 'node:worker_threads';
import { serveDecoders } from '@fmri2image/core';
import { type DecoderSource, loadDecoder } from './loadDecoder.ts';

// The entry of a worker thread in which decoders live: `loadDecoder(path, { worker })` finds them here.
if (parentPort) serveDecoders(parentPort, (source, options) => loadDecoder(source as DecoderSource, options));

export { loadDecoder };
