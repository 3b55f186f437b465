import { defineConfig } from 'tsup';
import { esbuildWgsl } from './wgsl.ts';

export default defineConfig({
  entry: { index: 'src/index.ts' },
  format: 'esm',
  target: 'es2022',
  platform: 'browser',
  dts: true,
  sourcemap: true,
  clean: true,
  esbuildPlugins: [esbuildWgsl],
});
