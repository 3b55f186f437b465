import type { InlineConfig, Plugin } from 'vite';
import { viteWgsl } from '../wgsl.ts';
import type { DemoFiles } from './demo/make.ts';

/** From the sources of the packages, as tests do: the page needs no build of theirs. */
const conditions = ['f2i-source', 'module', 'import', 'default'];
const root = new URL('.', import.meta.url).pathname;

/**
 * How the page is built: a folder of static files with relative addresses, for any host.
 *
 * @param demo put below `demo/`
 */
export function pageConfig({ demo, outDir }: { demo: DemoFiles; outDir: string }): InlineConfig {
  return {
    configFile: false,
    root,
    base: './',
    logLevel: 'warn',
    resolve: { conditions },
    plugins: [viteWgsl, withoutHdf5, withFiles(demo)],
    worker: { format: 'es', plugins: () => [viteWgsl, withoutHdf5] },
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2022',
      modulePreload: { polyfill: false },
      // Of sources that are public anyway.
      sourcemap: false,
      chunkSizeWarningLimit: 2000,
      assetsInlineLimit: 0,
    },
  };
}

/** The page reads no HDF5: its policy forbids WebAssembly, and the library is larger than all the rest together. */
const withoutHdf5: Plugin = {
  name: 'without-hdf5',
  enforce: 'pre',
  resolveId: (id) => (id === 'h5wasm' ? '\0h5wasm' : undefined),
  load: (id) =>
    id === '\0h5wasm'
      ? "export const ready = Promise.reject(new Error('left out of this page'));"
      : undefined,
};

function withFiles(files: DemoFiles): Plugin {
  return {
    name: 'demo-files',
    generateBundle() {
      for (const [fileName, source] of files) this.emitFile({ type: 'asset', fileName, source });
    },
  };
}
