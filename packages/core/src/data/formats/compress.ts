import { throwIfAborted } from '../../error.ts';

/**
 * A file as a gzip file, in pieces, by the platform. No more is taken of the content than the platform asks for.
 *
 * @param content the pieces of the file, in order
 */
export async function* gzipPieces(
  content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const { readable, writable } = new CompressionStream('gzip');
  const writer = writable.getWriter();
  const reader = readable.getReader();
  const feed = async (): Promise<void> => {
    try {
      for await (const piece of content) {
        throwIfAborted(signal, 'writing a compressed file');
        await writer.ready;
        await writer.write(piece as Uint8Array<ArrayBuffer>);
      }
      await writer.close();
    } catch (error) {
      // The reader sees what went wrong with the content.
      await writer.abort(error).catch(() => {});
      throw error;
    }
  };
  const feeding = feed();
  feeding.catch(() => {});
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield value;
    }
    await feeding;
  } finally {
    await Promise.allSettled([reader.cancel(), feeding]);
  }
}
