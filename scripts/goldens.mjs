#!/usr/bin/env node
// Holds a backend against a folder of goldens: npm run goldens -- FOLDER --backend NAME
// Prints the worst error over tolerance of each case; exits with 0 only if something passed and nothing failed.
import { parseArgs } from 'node:util';
import { formatGolden, runGoldens, summary } from '@fmri2image/core/conformance';
import { createBackend, nodeFolder } from '@fmri2image/node';

const USAGE = 'usage: npm run goldens -- FOLDER [--backend reference|cpu|cuda|webgpu]';

/** Opens the named backend; the WebGPU one through Dawn. */
async function open(name) {
  if (name !== 'webgpu') return createBackend({ device: name });
  const [{ create, globals }, { createWebBackend }] = await Promise.all([
    import('webgpu'),
    import('@fmri2image/web'),
  ]);
  Object.assign(globalThis, globals);
  return createWebBackend({ gpu: create([]) });
}

async function main() {
  const { values, positionals } = parseArgs({
    options: { backend: { type: 'string', default: 'reference' } },
    allowPositionals: true,
  });
  if (positionals.length !== 1) throw new Error(USAGE);
  const backend = await open(values.backend);
  try {
    const folder = await nodeFolder(positionals[0]);
    console.log(`${backend.info.description}, ${folder.name}`);
    const results = await runGoldens(folder, backend, {
      onResult: (result) => console.log(formatGolden(result)),
    });
    const { line, ok } = summary(results);
    console.log(line);
    return ok ? 0 : 1;
  } finally {
    await backend.dispose();
  }
}

try {
  // Dawn keeps the process alive: end it.
  process.exit(await main());
} catch (error) {
  console.error(error.message);
  process.exit(2);
}
