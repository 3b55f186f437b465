import { readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { F2iError, MINDEYE_BETAS, MINDEYE_FILES } from '@fmri2image/core';
import { usage } from '../options.ts';

/** Where a subject's files lie. */
export interface NsdPlace {
  readonly folder: string;
  readonly subject: number;
}

/**
 * The subject that a path means: its file of betas, or a folder that holds one such file.
 *
 * @returns undefined for a path that is neither
 * @throws USAGE for a folder with betas of several subjects
 */
export async function findNsdSubject(path: string): Promise<NsdPlace | undefined> {
  const isFolder = await stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  if (!isFolder) {
    const named = MINDEYE_BETAS.exec(basename(path));
    return named ? { folder: dirname(path), subject: Number(named[1]) } : undefined;
  }
  const names = (await readdir(path)).filter((name) => MINDEYE_BETAS.test(name)).sort();
  if (names.length > 1) {
    throw usage(`${path} holds betas of several subjects; name one of ${names.join(', ')}`);
  }
  return names[0] === undefined
    ? undefined
    : { folder: path, subject: Number(MINDEYE_BETAS.exec(names[0])![1]) };
}

/** Whether a path is such a file of betas, or a folder with one or several. */
export async function holdsNsdBetas(path: string): Promise<boolean> {
  if (MINDEYE_BETAS.test(basename(path))) return true;
  const names = await readdir(path).catch(() => []);
  return names.some((name) => MINDEYE_BETAS.test(name));
}

/** As `findNsdSubject`; a path that is neither is an error that says what is looked for. */
export async function nsdSubjectAt(path: string): Promise<NsdPlace> {
  const found = await findNsdSubject(path);
  if (found) return found;
  throw new F2iError('IO', 'no betas of NSD as MindEye2 published them', {
    file: path,
    expected: `${MINDEYE_FILES.betas(1)}, or a folder that holds it (huggingface.co/datasets/pscotti/mindeyev2)`,
  });
}
