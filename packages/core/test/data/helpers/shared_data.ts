import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'vitest';
import { bytesSource, type Source } from '../../../src/index.ts';
import { dataFolder, goldensFolder } from '../../shared.ts';

/** Folder of the goldens; a name that does not exist where they are absent. */
export const goldensRoot = goldensFolder ?? 'the folder of goldens';

/** `it` for tests that read real data or goldens: skips visibly where they, or the file named, are absent. */
export function itWith(kind: 'data' | 'goldens', path = '.') {
  const folder = kind === 'data' ? dataFolder : goldensFolder;
  const here = folder !== undefined && existsSync(join(folder, path));
  return (name: string, body: () => Promise<void> | void) =>
    here ? it(name, body) : it.skip(`${name} (the folder of ${kind} is absent)`, body);
}

/** A file of the real data (or of another folder) in memory. */
export async function sharedSource(path: string, root = dataFolder!): Promise<Source> {
  return bytesSource(await readFile(join(root, path)), path);
}
