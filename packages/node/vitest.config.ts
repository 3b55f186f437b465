import { defineConfig } from 'vitest/config';
import { everyCore, patience, shared, withoutGpu } from '../../vitest.shared.ts';

/** Long ones that neither watch the clock nor build in a folder of others: on every core. */
const together = ['test/{conformance,files,goldens,mindeye*,processes,readme,retinotopic}.test.ts'];

/** The rest, afterwards: one at a time, as some watch the event loop and the memory of the machine. */
export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: {
          name: 'together',
          include: together,
          sequence: { groupOrder: 0 },
          ...everyCore,
          ...withoutGpu,
          ...patience,
        },
      },
      {
        ...shared,
        test: {
          name: 'one by one',
          include: ['test/**/*.test.ts'],
          exclude: together,
          sequence: { groupOrder: 1 },
          maxWorkers: 1,
          ...withoutGpu,
          ...patience,
        },
      },
    ],
  },
});
