import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'vite';
import { pageConfig } from './config.ts';
import { type DemoFiles, makeDemo, PAGE_DEMO } from './demo/make.ts';

const here = new URL('.', import.meta.url).pathname;

/** Builds the page into a folder; the demo is simulated, unless it was before by the same sources. */
export async function buildPage(outDir: string, cache: string, tell: (line: string) => void): Promise<void> {
  const key = await sourcesHash();
  let demo = await readDemo(cache, key);
  if (!demo) {
    tell('simulate the demo (some seconds) ...');
    demo = await makeDemo(PAGE_DEMO);
    await keepDemo(cache, key, demo);
  }
  tell('build the page ...');
  await build(pageConfig({ demo, outDir }));
}

/** Of everything that the demo is made by. */
async function sourcesHash(): Promise<string> {
  const hash = createHash('sha256');
  const folders = [path.resolve(here, '../../core/src'), path.join(here, 'demo')];
  for (const folder of folders) {
    const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts')).sort();
    for (const name of names) hash.update(name).update(await readFile(path.join(folder, name)));
  }
  return hash.digest('hex');
}

async function readDemo(cache: string, key: string): Promise<DemoFiles | undefined> {
  try {
    if ((await readFile(path.join(cache, 'key'), 'utf8')) !== key) return undefined;
    const entries = await readdir(path.join(cache, 'demo'), { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name));
    const read = files.map(
      async (file) =>
        [path.relative(cache, file).replaceAll(path.sep, '/'), new Uint8Array(await readFile(file))] as const,
    );
    return new Map(await Promise.all(read));
  } catch {
    return undefined;
  }
}

/** Complete or not at all. */
async function keepDemo(cache: string, key: string, demo: DemoFiles): Promise<void> {
  const temporary = `${cache}.${process.pid}`;
  for (const [name, bytes] of demo) {
    await mkdir(path.dirname(path.join(temporary, name)), { recursive: true });
    await writeFile(path.join(temporary, name), bytes);
  }
  await writeFile(path.join(temporary, 'key'), key);
  await rm(cache, { recursive: true, force: true });
  await rename(temporary, cache);
}
