import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CpuBackend, memorySink } from '../src/index.ts';

/** Bytes of this process that ask for huge pages (`hg` among the flags of proc_pid_smaps(5)). */
function asking(): number {
  let bytes = 0;
  let size = 0;
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    if (line.startsWith('Size:')) size = Number.parseInt(line.slice(5), 10) * 1024;
    if (line.startsWith('VmFlags:') && / hg\b/.test(line)) bytes += size;
  }
  return bytes;
}

let backend: CpuBackend;
beforeAll(() => {
  backend = new CpuBackend({ threads: 1 });
});
afterAll(() => backend.dispose());

const MEGABYTES = 2 ** 20;

it.skipIf(!existsSync('/proc/self/smaps'))('large results ask for huge pages, and are zeros', async () => {
  const before = asking();
  const floats = backend.newArray('f32', 10 * MEGABYTES);
  expect(floats).toBeInstanceOf(Float32Array);
  expect(asking() - before).toBeGreaterThanOrEqual(36 * MEGABYTES);
  expect(floats.every((value) => value === 0)).toBe(true);

  const sink = memorySink(4, 5 * MEGABYTES, 'f64', backend);
  expect(asking() - before).toBeGreaterThanOrEqual((36 + 156) * MEGABYTES);
  expect(sink.values).toHaveLength(20 * MEGABYTES);

  const tensor = backend.zeros([10 * MEGABYTES]);
  await backend.sync();
  const held = asking();
  const copy = await tensor.download();
  expect(asking() - held).toBeGreaterThanOrEqual(36 * MEGABYTES);
  expect(copy.every((value) => value === 0)).toBe(true);
  tensor.dispose();
});

it('small ones are arrays like others', () => {
  expect(backend.newArray('i32', 3)).toEqual(new Int32Array(3));
  expect(backend.newArray('f64', 0)).toHaveLength(0);
});
