import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WriteFile } from '@fmri2image/core';
import { readUnfinished, unfinishedPath } from '../pipeline/workFolder.ts';
import type { BlockFolder } from './blockFolder.ts';

/** Files that outputs of a recipe are known by. */
export type Mark = 'model.json' | 'reconstructions.json';

const sha256 = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** `write` that first notes the mark of an output in the work folder: a run of two outputs may be killed between them. */
export const noting =
  (mark: Mark, write: WriteFile, work: BlockFolder): WriteFile =>
  async (name, content) => {
    const isWhole = typeof content === 'string' || content instanceof Uint8Array;
    if (name === mark && isWhole) await work.keepPublished(mark, sha256(content));
    await write(name, content);
  };

/**
 * Whether a folder is what an unfinished run has made, which then may replace it: the run was killed, or failed, before its
 * other output was there.
 *
 * @param path the folder
 * @param output of the run, beside which its work lies
 */
export async function isPublished(path: string, mark: Mark, output: string): Promise<boolean> {
  // What is wrong with the state is said when the run takes it up.
  const state = await readUnfinished(unfinishedPath(output)).catch(() => undefined);
  const noted = state?.published?.[mark];
  if (noted === undefined) return false;
  const found = await readFile(join(path, mark)).catch(() => undefined);
  return found !== undefined && sha256(found) === noted;
}
