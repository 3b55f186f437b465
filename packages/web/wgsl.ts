import { readFile } from 'node:fs/promises';

/** A shader as it ships: without comments and indentation. Tests run the same text. */
export function compact(source: string): string {
  return source
    .split('\n')
    .map((line) => line.replace(/\/\/.*$/, '').trim())
    .filter((line) => line !== '')
    .join('\n')
    .concat('\n');
}

function moduleOf(source: string): string {
  return `export default ${JSON.stringify(compact(source))};\n`;
}

/** Shaders as string modules, for vite and vitest. */
export const viteWgsl = {
  name: 'wgsl',
  enforce: 'pre' as const,
  transform(source: string, id: string) {
    return id.split('?')[0]!.endsWith('.wgsl') ? { code: moduleOf(source), map: null } : undefined;
  },
};

interface EsbuildBuild {
  onLoad(
    options: { filter: RegExp },
    load: (args: { path: string }) => Promise<{ contents: string; loader: 'js' }>,
  ): void;
}

/** Shaders as string modules, for tsup. */
export const esbuildWgsl = {
  name: 'wgsl',
  setup(build: EsbuildBuild) {
    build.onLoad({ filter: /\.wgsl$/ }, async ({ path }) => ({
      contents: moduleOf(await readFile(path, 'utf8')),
      loader: 'js',
    }));
  },
};
