import { afterAll, expect } from 'vitest';
import { type Backend, createReferenceBackend } from '../src/index.ts';

/** A reference backend for all tests of a file; what they leave on it fails the file. */
export function leakCheckedReference(): Backend {
  const backend = createReferenceBackend();
  afterAll(async () => {
    expect(backend.stats().liveTensors).toBe(0);
    await backend.dispose();
  });
  return backend;
}
