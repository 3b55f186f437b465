// A run of two outputs is killed for good (SIGKILL) at the moments between which its outputs get their names.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { root, run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const FIT = [
  ...['fit', 'sim', '--recipe', 'custom', '--split', 'takagi', '--alphas', '1', '--storage', 'dual'],
  ...['--targets', 'f=sim/features/f.npy'],
];
const fitInto = (name: string) => [...FIT, '-o', `${name}-bundle`, '--predictions', `${name}-predictions`];

/** Runs a command that dies when something gets this name. */
async function killed(args: readonly string[], to: string, when: 'before' | 'after'): Promise<void> {
  const hook = pathToFileURL(join(root, 'packages/cli/test/killAtRename.mjs'));
  hook.search = `${new URLSearchParams({ to, when })}`;
  const { code, signal, stderr } = await run(args, folder, { NODE_OPTIONS: `--import=${hook}` });
  expect([code, signal], stderr).toEqual([null, 'SIGKILL']);
}

/** Bytes of a bundle, and of the predictions beside it: what else these hold tells of the run. */
const resultsOf = (name: string) => [
  ...readdirSync(at(`${name}-bundle`)).map((file) =>
    readFileSync(at(`${name}-bundle/${file}`)).toString('base64'),
  ),
  readFileSync(at(`${name}-predictions/f.npy`)).toString('base64'),
];
const leftovers = (name: string) => readdirSync(folder).filter((file) => file.startsWith(`.${name}`));

beforeAll(async () => {
  const shown = ['--train-pictures', '6', '--test-pictures', '3', '--repeats', '2', '--sessions', '1'];
  const small = ['--voxels', '20', '--size', '16', '--features', 'f.npy=8x8'];
  for (const args of [['simulate', '--layout', 'nsd', '-o', 'sim', ...shown, ...small], fitInto('whole')]) {
    const { code, stderr } = await run(args, folder);
    expect(code, stderr).toBe(0);
  }
});

describe('a fit that is killed', () => {
  it('between the names of its bundle and of its predictions goes on and gives the same bytes', async () => {
    const args = fitInto('between');
    await killed(args, 'between-predictions', 'before');
    expect(existsSync(at('between-bundle/model.json'))).toBe(true);
    expect(existsSync(at('between-predictions'))).toBe(false);
    expect(leftovers('between-bundle')).toContain('.between-bundle.unfinished');
    const { code, stderr } = await run(args, folder);
    expect(code, stderr).toBe(0);
    expect(resultsOf('between')).toEqual(resultsOf('whole'));
    expect(leftovers('between')).toEqual([]);
  });

  it('behind both names takes the predictions for its own, and no others', async () => {
    const args = fitInto('behind');
    await killed(args, 'behind-predictions', 'after');
    const index = at('behind-predictions/reconstructions.json');
    const own = readFileSync(index);
    expect(leftovers('behind-bundle')).toContain('.behind-bundle.unfinished');
    // Somebody else's, by a single byte: they are neither replaced nor taken for what this run has made.
    writeFileSync(index, `${own} `);
    const refused = await run(args, folder);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/behind-predictions.*--force/) });
    expect(readFileSync(index, 'utf8')).toBe(`${own} `);
    writeFileSync(index, own);
    const { code, stderr } = await run(args, folder);
    expect(code, stderr).toBe(0);
    expect(resultsOf('behind')).toEqual(resultsOf('whole'));
    expect(leftovers('behind')).toEqual([]);
  });

  it('while it replaces a bundle leaves the old one to whoever reads next', async () => {
    const args = fitInto('replaced');
    expect((await run(args, folder)).code).toBe(0);
    const before = resultsOf('replaced');
    await killed([...args, '--alphas', '5', '--force'], 'replaced-bundle', 'before');
    expect(existsSync(at('replaced-bundle'))).toBe(false);
    const read = await run(['inspect', 'replaced-bundle', '--json'], folder);
    expect(read.code, read.stderr).toBe(0);
    expect(resultsOf('replaced')).toEqual(before);
    // Or to the next writer, which then replaces it.
    await killed([...args, '--alphas', '5', '--force'], 'replaced-bundle', 'before');
    expect(existsSync(at('replaced-bundle'))).toBe(false);
    const { code, stderr } = await run([...args, '--alphas', '5', '--force'], folder);
    expect(code, stderr).toBe(0);
    expect(resultsOf('replaced')).not.toEqual(before);
    expect(leftovers('replaced')).toEqual([]);
  });
});
