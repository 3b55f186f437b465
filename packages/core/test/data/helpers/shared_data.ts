import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { it } from 'vitest';
import { bytesSource, type Source } from '../../../src/index.ts';

const repository = fileURLToPath(new URL('../../../../../', import.meta.url));

/** The folder of real data that is not part of the repository. */
export const dataRoot = process.env.F2I_TEST_DATA ?? join(repository, '../shared/data');
export const goldensRoot = process.env.F2I_GOLDENS ?? join(repository, '../shared/goldens');
export const repositoryRoot = repository;

const required = (process.env.F2I_REQUIRE ?? '').split(',');

/** `it` that skips visibly where a file of the shared data is absent, unless F2I_REQUIRE names it. */
export function itWith(kind: 'data' | 'goldens', path: string) {
  const root = kind === 'data' ? dataRoot : goldensRoot;
  const here = existsSync(join(root, path)) || required.includes(kind);
  return (name: string, body: () => Promise<void> | void) =>
    here ? it(name, body, 60_000) : it.skip(`${name} (no ${kind} at ${path})`, body);
}

export async function sharedSource(path: string, root = dataRoot): Promise<Source> {
  return bytesSource(await readFile(join(root, path)), path);
}
