import { defineConfig } from 'tsup';
import { esbuildWgsl } from './wgsl.ts';

export default defineConfig({
  entry: { index: 'src/index.ts', worker: 'src/worker.ts' },
  format: 'esm',
  target: 'es2022',
  platform: 'browser',
  // WebGPU's types are not in every version of TypeScript's own.
  // Types are checked by `npm run typecheck`, not once more here; those of the core are read from its build.
  dts: {
    banner: '/// <reference types="@webgpu/types" />',
    compilerOptions: { noCheck: true, customConditions: [] },
  },
  sourcemap: true,
  clean: true,
  esbuildPlugins: [esbuildWgsl],
});
