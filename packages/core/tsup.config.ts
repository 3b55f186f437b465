import { defineConfig } from 'tsup';

export default defineConfig({
  entry: { index: 'src/index.ts', conformance: 'conformance/index.ts' },
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  // Symbol.asyncDispose and AsyncDisposable: newer than the library of ES2022 that applications may compile with.
  // Types are checked by `npm run typecheck`, not once more here.
  dts: { banner: '/// <reference lib="esnext.disposable" />', compilerOptions: { noCheck: true } },
  sourcemap: true,
  clean: true,
});
