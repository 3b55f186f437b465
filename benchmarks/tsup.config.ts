import { defineConfig } from 'tsup';

export default defineConfig({
  entry: { run: 'src/run.ts', replay: 'src/replay.ts' },
  format: 'esm',
  target: 'es2022',
  platform: 'node',
  clean: true,
});
