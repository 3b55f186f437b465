import { availableParallelism } from 'node:os';

/** Tests run on the sources of all workspace packages, not on their builds. */
const conditions = ['f2i-source', 'module', 'import', 'default'];

export const shared = { resolve: { conditions }, ssr: { resolve: { conditions } } };

/** Limits that end a hang, and no slow machine: the longest test takes a fiftieth of them on two idle cores. */
export const patience = { testTimeout: 300_000, hookTimeout: 300_000, teardownTimeout: 300_000 };

/** `auto` takes the processor, on machines with a GPU, too; tests of the CUDA backend name its library themselves. */
export const withoutGpu = { env: { F2I_CUDA_LIBRARY: '/nowhere/libf2i_cuda.so' } };

/** By itself vitest leaves one core idle: half of a machine with two. For tests that do not watch the clock. */
export const everyCore = { maxWorkers: availableParallelism() };
