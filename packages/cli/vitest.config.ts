import { defineConfig } from 'vitest/config';
import { everyCore, shared } from '../../vitest.shared.ts';

export default defineConfig({
  ...shared,
  test: { include: ['test/**/*.test.ts'], ...everyCore, testTimeout: 120_000 },
});
