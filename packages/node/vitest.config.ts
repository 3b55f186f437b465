import { defineConfig } from 'vitest/config';
import { patience, shared, withoutGpu } from '../../vitest.shared.ts';

export default defineConfig({
  ...shared,
  test: { include: ['test/**/*.test.ts'], fileParallelism: false, ...withoutGpu, ...patience },
});
