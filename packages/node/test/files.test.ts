import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeHdf5, type F2iError, inspectFile, readArray } from '@fmri2image/core';
import { build } from 'tsup';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileSource, ioError, nodeFolder, writeFileAtomic, writeFolderAtomic } from '../src/files.ts';
import { errorOf } from './kept.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'f2i-files-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (...parts: string[]) => join(root, ...parts);
describe('fileSource', () => {
  it('reads ranges', async () => {
    writeFileSync(at('a'), 'hello world');
    const source = await fileSource(at('a'), 'a');
    expect(source.size).toBe(11);
    expect(Buffer.from(await source.read(6, 5)).toString()).toBe('world');
    expect((await errorOf(source.read(6, 6))).message).toMatch(/^a: the file ends too early/);
  });

  it('reads files at once, for libraries that cannot wait', async () => {
    const array = { dtype: 'f32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } as const;
    writeFileSync(at('a.h5'), await encodeHdf5({ a: { array } }));
    const source = await fileSource(at('a.h5'), 'a.h5');
    expect(await readArray(source)).toEqual(array);
    expect((await inspectFile(source)).arrays).toEqual([{ name: 'a', dtype: 'f32', shape: [2, 2] }]);
    rmSync(at('a.h5'));
    expect(await errorOf(readArray(source))).toMatchObject({ code: 'IO', file: 'a.h5' });
  });

  it('rejects what is missing, a folder, or a pipe', async () => {
    expect((await errorOf(fileSource(at('no'), 'no'))).message).toMatch(/^no: cannot read it: no such file/);
    expect((await errorOf(fileSource(root, 'r'))).message).toMatch(/found a folder/);
    expect((await errorOf(fileSource('/dev/zero', 'z'))).message).toMatch(/regular file/);
  });

  it('notices that the file was replaced', async () => {
    writeFileSync(at('a'), 'one');
    const source = await fileSource(at('a'), 'a');
    writeFileSync(at('a'), 'other');
    expect((await errorOf(source.read(0, 3))).message).toMatch(/changed while/);
  });
});

describe('nodeFolder', () => {
  it('lists and opens, and stays inside', async () => {
    mkdirSync(at('in/deep'), { recursive: true });
    writeFileSync(at('in/deep/b'), 'b');
    writeFileSync(at('in/a'), 'a');
    writeFileSync(at('secret'), 'secret');
    symlinkSync('deep/b', at('in/link'));
    symlinkSync('../secret', at('in/leak'));
    symlinkSync('..', at('in/up'));
    const folder = await nodeFolder(at('in'), { name: 'in' });
    expect(await folder.list()).toEqual(['a', 'deep/b', 'link']);
    expect(Buffer.from(await (await folder.open('./deep//b')).read(0, 1)).toString()).toBe('b');
    expect((await folder.open('link')).size).toBe(1);
    for (const path of [
      '../secret',
      '/etc/passwd',
      'deep/../../secret',
      'leak',
      'up/secret',
      '',
      'C:/x',
      'a\\b',
    ]) {
      expect((await errorOf(folder.open(path))).code, path).toBe('USAGE');
    }
    expect((await errorOf(folder.open('none'))).message).toMatch(/^in\/none: .*no such file/);
  });
});

describe('atomic writes', () => {
  it('writes files and folders, and leaves nothing else', async () => {
    await writeFileAtomic(at('x/a.txt'), 'hello');
    await writeFolderAtomic(at('x/out'), async (write) => {
      await write('one', new Uint8Array([1]));
      await write('sub/two', [new Uint8Array([2]), new Uint8Array([3])]);
      expect(existsSync(at('x/out'))).toBe(false);
    });
    expect(readFileSync(at('x/a.txt'), 'utf8')).toBe('hello');
    expect([...readFileSync(at('x/out/sub/two'))]).toEqual([2, 3]);
    expect(readdirSync(at('x')).sort()).toEqual(['a.txt', 'out']);
  });

  it('does not overwrite unless forced, and then keeps the old until the new is complete', async () => {
    await writeFolderAtomic(at('out'), (write) => write('v', 'old'));
    expect((await errorOf(writeFolderAtomic(at('out'), async () => {}))).code).toBe('USAGE');
    await writeFileAtomic(at('f'), 'old');
    expect((await errorOf(writeFileAtomic(at('f'), 'new'))).code).toBe('USAGE');
    expect(readFileSync(at('f'), 'utf8')).toBe('old');
    await writeFileAtomic(at('f'), 'new', { force: true });
    expect(readFileSync(at('f'), 'utf8')).toBe('new');

    const failing = writeFolderAtomic(
      at('out'),
      async (write) => {
        await write('v', 'new');
        throw new Error('stop');
      },
      { force: true },
    );
    await expect(failing).rejects.toThrow('stop');
    expect(readFileSync(at('out/v'), 'utf8')).toBe('old');
    await writeFolderAtomic(
      at('out'),
      async (write) => {
        await write('v', 'new');
        expect(readFileSync(at('out/v'), 'utf8')).toBe('old');
      },
      { force: true },
    );
    expect(readFileSync(at('out/v'), 'utf8')).toBe('new');
    expect(readdirSync(root).sort()).toEqual(['f', 'out']);
  });

  it('refuses paths that leave the folder, twice the same file, and to replace the home folder', async () => {
    for (const path of ['../x', '/x']) {
      expect((await errorOf(writeFolderAtomic(at('out'), (write) => write(path, 'x')))).code).toBe('USAGE');
    }
    const twice = writeFolderAtomic(at('out'), async (write) => {
      await write('a', 'x');
      await write('a', 'y');
    });
    expect((await errorOf(twice)).message).toMatch(/out\/a: the file was already written/);
    expect((await errorOf(writeFolderAtomic('.', async () => {}, { force: true }))).message).toMatch(
      /working/,
    );
    expect(readdirSync(root)).toEqual([]);
  });

  it('stops when cancelled, and leaves nothing', async () => {
    const controller = new AbortController();
    function* pieces() {
      yield new Uint8Array(10);
      controller.abort();
      yield new Uint8Array(10);
    }
    const error = await errorOf(writeFileAtomic(at('a'), pieces(), { signal: controller.signal }));
    expect(error.code).toBe('CANCELLED');
    expect(readdirSync(root)).toEqual([]);
  });

  it('says that the disk is full, and names the path', () => {
    const cause = Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC', syscall: 'write' });
    const error = ioError(cause, 'out/weights.safetensors', 'write') as F2iError;
    expect(error.code).toBe('IO');
    expect(error.message).toBe('out/weights.safetensors: cannot write it: the disk is full (ENOSPC)');
  });

  /** A program of its own that uses the sources of this package. */
  async function program(body: string): Promise<string> {
    const files = fileURLToPath(new URL('../src/files.ts', import.meta.url));
    mkdirSync(at('program'));
    writeFileSync(
      at('program/main.ts'),
      `import { writeFolderAtomic } from ${JSON.stringify(files)};\nconst out = ${JSON.stringify(at('out'))};\n${body}`,
    );
    await build({
      entry: [at('program/main.ts')],
      outDir: at('program'),
      format: 'esm',
      config: false,
      silent: true,
      noExternal: [/.*/],
      outExtension: () => ({ js: '.mjs' }),
      esbuildOptions: (options) => {
        options.conditions = ['f2i-source'];
      },
    });
    return at('program/main.mjs');
  }

  /** Ends a program, by a signal, when it has written half of a folder that replaces another. */
  async function killHalfway(signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL') {
    const main = await program(`
      await writeFolderAtomic(out, async (write) => {
        await write('v', 'half');
        console.log('halfway');
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      }, { force: true });`);
    const child = spawn(process.execPath, [main], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise<string | null>((resolve) => child.once('exit', (_, by) => resolve(by)));
    await Promise.race([once(child.stdout, 'data'), ended]);
    expect(leftovers()).toHaveLength(1);
    child.kill(signal);
    expect(await ended).toBe(signal);
  }
  const leftovers = () => readdirSync(root).filter((name) => name.startsWith('.out.'));

  it('a write that the system cuts off leaves nothing, and names the file', async () => {
    const main = await program(`
      await writeFolderAtomic(out, (write) => write('big', new Uint8Array(1 << 20))).catch((error) => {
        console.log(error.code + ' ' + error.message);
      });`);
    // A limit on the size of files, in KiB: write() stops in the middle, as it does on a full disk.
    const run = spawnSync('bash', ['-c', `ulimit -f 16 && exec "$0" "$1"`, process.execPath, main]);
    expect(run.stdout.toString()).toMatch(/^IO .*out\/big: cannot write it: .*EFBIG/);
    expect(readdirSync(root)).toEqual(['program']);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    '%s in mid-write leaves the old, and nothing else',
    async (signal) => {
      await writeFolderAtomic(at('out'), (write) => write('v', 'old'));
      await killHalfway(signal);
      expect(leftovers()).toEqual([]);
      expect(readFileSync(at('out/v'), 'utf8')).toBe('old');
    },
  );

  it('the next write removes what SIGKILL left, and says so', async () => {
    await writeFolderAtomic(at('out'), (write) => write('v', 'old'));
    await killHalfway('SIGKILL');
    expect(leftovers()).toHaveLength(1);
    expect(readFileSync(at('out/v'), 'utf8')).toBe('old');
    const repairs: string[] = [];
    const options = { force: true, onRepair: (what: string) => repairs.push(what) };
    await writeFolderAtomic(at('out'), (write) => write('v', 'new'), options);
    expect(leftovers()).toEqual([]);
    expect(repairs).toEqual([expect.stringMatching(/removed .*\.out\.tmp-.*killed/)]);
    expect(readFileSync(at('out/v'), 'utf8')).toBe('new');
  });

  it('puts back what an overwrite killed between its two renames had moved aside', async () => {
    await writeFolderAtomic(at('out'), (write) => write('v', 'old'));
    await killHalfway('SIGKILL');
    // As if the kill had come between the renames: the old is aside, under the name that the process would use.
    renameSync(at('out'), at(leftovers()[0]!.replace('.tmp-', '.old-')));
    const repairs: string[] = [];
    const folder = await nodeFolder(at('out'), { onRepair: (what) => repairs.push(what) });
    expect(await folder.list()).toEqual(['v']);
    expect(readFileSync(at('out/v'), 'utf8')).toBe('old');
    expect(repairs).toEqual([expect.stringMatching(/put back/)]);
  });

  it('leaves alone what a living process, or another machine, may be writing', async () => {
    let name: string | undefined;
    await writeFolderAtomic(at('out'), async () => {
      [name] = leftovers();
    });
    const foreign = name!.replace(/-[0-9a-f]{8}-[0-9a-f]{8}$/, '-00000000-00000000');
    mkdirSync(at(foreign));
    const repairs: string[] = [];
    const options = { force: true, onRepair: (what: string) => repairs.push(what) };
    await writeFolderAtomic(at('out'), (write) => write('v', 'new'), options);
    expect(leftovers()).toEqual([foreign]);
    expect(repairs).toEqual([expect.stringMatching(/left .* alone/)]);
  });
});
