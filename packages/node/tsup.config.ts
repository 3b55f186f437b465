import { defineConfig } from 'tsup';

export default defineConfig({
  entry: { index: 'src/index.ts', recorder: 'src/recorder.ts', worker: 'src/worker.ts' },
  format: 'esm',
  target: 'es2022',
  platform: 'node',
  // Types are checked by `npm run typecheck`, not once more here; those of the core are read from its build.
  dts: { compilerOptions: { noCheck: true, customConditions: [] } },
  sourcemap: true,
  clean: true,
});
