import { defineConfig } from 'vitest/config';
import { everyCore, patience, shared } from '../../vitest.shared.ts';

export default defineConfig({
  ...shared,
  test: {
    include: ['test/**/*.test.ts'],
    ...everyCore,
    // The sources are loaded once, not once for each of the many files: they keep nothing between tests.
    isolate: false,
    ...patience,
  },
});
