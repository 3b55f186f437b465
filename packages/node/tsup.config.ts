import { defineConfig } from 'tsup';

export default defineConfig({
  entry: { index: 'src/index.ts', recorder: 'src/recorder.ts', worker: 'src/worker.ts' },
  format: 'esm',
  target: 'es2022',
  platform: 'node',
  dts: true,
  sourcemap: true,
  clean: true,
});
