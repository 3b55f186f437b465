import { defineConfig } from 'vitest/config';
import { everyCore, patience, shared, withoutGpu } from '../../vitest.shared.ts';

export default defineConfig({
  ...shared,
  test: { include: ['test/**/*.test.ts'], ...everyCore, ...withoutGpu, ...patience },
});
