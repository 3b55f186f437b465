import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { prepareOutput } from '../src/output.ts';
import { temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const prepare = (name: string) =>
  prepareOutput({ path: join(folder, name), kind: 'report', force: undefined });

it('an output that cannot be written is refused before the work, and asking leaves nothing behind', async () => {
  writeFileSync(join(folder, 'file'), 'no folder');
  mkdirSync(join(folder, 'there'));
  await expect(prepare('file/page')).rejects.toMatchObject({ code: 'IO', file: join(folder, 'file/page') });
  expect(await prepare('new/inner/page')).toEqual({ force: false });
  expect(await prepare('there')).toEqual({ force: true });
  expect(readdirSync(folder).sort()).toEqual(['file', 'there']);
});
