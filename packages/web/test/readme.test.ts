import { expect, inject, it } from 'vitest';
import overview from '../../../README.md?raw';
import readme from '../README.md?raw';
import * as web from '../src/index.ts';
import { describeOnDevice } from './available.ts';

const AsyncFunction = (async () => {}).constructor as new (
  ...text: string[]
) => (library: object, log: { log(value: unknown): void; warn(): void; debug(): void }) => Promise<void>;

/** Runs a snippet: its imports come from `library`, what it prints is returned. */
async function run(snippet: string, library: object): Promise<unknown[]> {
  const body = snippet
    .replace(/^import (\{.*\}) from '@fmri2image\/web';/m, 'const $1 = library;')
    // What the bundler, and TypeScript, do to it.
    .replace("new URL('./decoders.js', import.meta.url)", 'library.entry')
    .replace('bundles/subject-1/', `${inject('bundles')}/ranges/ridge_v1`)
    .replace(/(\w|\))!/g, '$1');
  expect(body).toContain('= library;');
  const printed: unknown[] = [];
  const console = { log: (value: unknown) => printed.push(value), warn: () => {}, debug: () => {} };
  await new AsyncFunction('library', 'console', body)(library, console);
  return printed;
}

const snippets = [...`${readme}${overview}`.matchAll(/```(?:ts|js)\n(.*?)```/gs)]
  .map(([, code]) => code!)
  .filter((code) => code.includes("from '@fmri2image/web'"));

describeOnDevice('the snippets of the README', () => {
  it('run and print what they say', async () => {
    const printed = await run(snippets[0]!, web);
    expect(printed).toEqual([expect.stringMatching(/^WebGPU, /), Float32Array.of(14, 32, 32, 77)]);
  });

  // There are workers and canvases in browsers alone.
  it.skipIf(!('Worker' in globalThis))('decode in a worker', async () => {
    expect(snippets).toHaveLength(2);
    const { default: entry } = await import('./scripts/decoders.ts?worker&url');
    let disposed = 0;
    const loadDecoder = async (...options: Parameters<typeof web.loadDecoder>) => {
      const decoder = await web.loadDecoder(...options);
      expect(decoder.backend.name).toBe('webgpu');
      return new Proxy(decoder, {
        get: (target, key) => {
          if (key === 'dispose') disposed++;
          const value = Reflect.get(target, key) as unknown;
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    };
    await run(snippets[1]!, { ...web, loadDecoder, entry });
    expect(disposed).toBe(1);
  });
});
