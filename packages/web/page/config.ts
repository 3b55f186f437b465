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
    plugins: [viteWgsl, hdf5InItsWorker(), withFiles(demo)],
    worker: {
      format: 'es',
      plugins: () => [viteWgsl, hdf5InItsWorker()],
      // Workers start from the page's own script: they have no address that parts of them could be relative to.
      rolldownOptions: { output: { codeSplitting: false } },
    },
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2022',
      modulePreload: { polyfill: false },
      // Of sources that are public anyway.
      sourcemap: false,
      chunkSizeWarningLimit: 6000,
      assetsInlineLimit: 0,
    },
  };
}

/** The library of HDF5 is larger than all the rest together: only the worker that reads such files has it. */
function hdf5InItsWorker(): Plugin {
  let isItsWorker = false;
  return {
    name: 'hdf5-in-its-worker',
    enforce: 'pre',
    buildStart: ({ input }) => {
      isItsWorker = JSON.stringify(input).includes('hdf5.worker');
    },
    resolveId: (id) => (id === 'h5wasm' && !isItsWorker ? '\0h5wasm' : undefined),
    load: (id) =>
      id === '\0h5wasm' ? "export const ready = Promise.reject(new Error('not in this script'));" : undefined,
  };
}

function withFiles(files: DemoFiles): Plugin {
  return {
    name: 'demo-files',
    generateBundle() {
      for (const [fileName, source] of files) this.emitFile({ type: 'asset', fileName, source });
    },
  };
}
