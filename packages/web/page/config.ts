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
    plugins: [viteWgsl, withFiles(demo)],
    worker: { format: 'es', plugins: () => [viteWgsl] },
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

function withFiles(files: DemoFiles): Plugin {
  return {
    name: 'demo-files',
    generateBundle() {
      for (const [fileName, source] of files) this.emitFile({ type: 'asset', fileName, source });
    },
  };
}
