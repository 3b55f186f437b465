import { defineConfig } from 'tsup';
import { esbuildWgsl } from './wgsl.ts';

export default defineConfig({
  entry: { index: 'src/index.ts', worker: 'src/worker.ts' },
  format: 'esm',
  target: 'es2022',
  platform: 'browser',
  // WebGPU's types are not in every version of TypeScript's own.
  dts: { banner: '/// <reference types="@webgpu/types" />' },
  sourcemap: true,
  clean: true,
  esbuildPlugins: [esbuildWgsl],
});
