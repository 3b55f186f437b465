import { type FileContent, joinBytes } from '@fmri2image/core';

/** Content of a file that may come in pieces. */
export async function bytesOf(content: FileContent): Promise<Uint8Array> {
  if (typeof content === 'string') return new TextEncoder().encode(content);
  if (content instanceof Uint8Array) return content;
  const pieces: Uint8Array[] = [];
  // Pieces may share memory that is written again.
  for await (const piece of content) pieces.push(piece.slice());
  return joinBytes(pieces);
}
