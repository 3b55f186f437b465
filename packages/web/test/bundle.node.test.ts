import { gzipSync } from 'node:zlib';
import { build, type Rollup } from 'vite';
import { describe, expect, it } from 'vitest';
import { compact, viteWgsl } from '../wgsl.ts';

describe('the bundle', () => {
  it('is small, whole, needs no Node, and fetches nothing but what loadDecoder is told to', async () => {
    const outputs = (await build({
      configFile: false,
      logLevel: 'silent',
      root: new URL('..', import.meta.url).pathname,
      plugins: [viteWgsl],
      build: {
        write: false,
        minify: true,
        lib: { entry: 'src/index.ts', formats: ['es'] },
        rollupOptions: { external: ['@fmri2image/core'] },
      },
    })) as Rollup.RollupOutput[];
    const chunks = outputs[0]!.output;
    expect(chunks).toHaveLength(1);
    const chunk = chunks[0]!;
    expect(chunk.imports).toEqual(['@fmri2image/core']);
    expect(chunk.dynamicImports).toEqual([]);
    expect(chunk.code).not.toMatch(/node:|import\.meta|eval\(|new Function|new Worker/);
    expect(chunk.code.match(/\bfetch\(/g)).toHaveLength(1);
    expect(chunk.code).toContain('@compute');
    expect(gzipSync(chunk.code).length).toBeLessThan(55_000);
  });

  it('carries shaders without their comments', () => {
    expect(compact('// a\n\n  let x = 1u; // b\n/// c\nfn f() {\n}\n')).toBe('let x = 1u;\nfn f() {\n}\n');
  });
});
