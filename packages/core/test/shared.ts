import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '..', '..', '..', '..');

/** Folder of the small real data, or undefined where it is absent. */
export const dataFolder = existing(process.env.F2I_TEST_DATA ?? join(root, '..', 'shared', 'data'), 'data');
/** Folder of the numbers computed by the original implementations. */
export const goldensFolder = existing(
  process.env.F2I_GOLDENS ?? join(root, '..', 'shared', 'goldens'),
  'goldens',
);
export const repositoryRoot = root;

/** Tests that need an absent folder skip visibly, unless F2I_REQUIRE lists it: then they fail. */
function existing(folder: string, name: string): string | undefined {
  if (existsSync(folder)) return folder;
  if (process.env.F2I_REQUIRE?.split(',').includes(name)) {
    throw new Error(`F2I_REQUIRE lists ${name}, but ${folder} does not exist`);
  }
  return undefined;
}
