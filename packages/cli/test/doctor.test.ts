// What doctor asks of devices: that it finds what is wrong, on devices that are.
import { createReferenceBackend } from '@fmri2image/core';
import { createBackend } from '@fmri2image/node';
import { beforeAll, expect, it } from 'vitest';
import { checkWork, prepareWork, realWork, SMALL } from '../src/doctor/products.ts';

const works = [SMALL, ...realWork(1 / 32)];
let prepared: Awaited<ReturnType<typeof prepareWork>>;
beforeAll(async () => {
  const exact = createReferenceBackend();
  prepared = await prepareWork(exact, works);
  await exact.dispose();
});

it('the works of decoders are right on the cpu, and their times are told', async () => {
  const backend = await createBackend({ device: 'cpu', threads: 1 });
  const found = await checkWork(backend, prepared);
  await backend.dispose();
  expect(found.map(({ what }) => what)).toEqual(works.map(({ what }) => what));
  for (const { what, ok, error, milliseconds } of found) {
    expect({ what, ok, error }).toEqual({ what, ok: true, error: expect.any(Number) });
    expect(milliseconds).toBeGreaterThanOrEqual(0);
  }
  expect(found.find(({ what }) => what === 'MindEye, weights of bf16')!.error).toBe(0);
});

it('a device that is wrong is found', async () => {
  const backend = await createBackend({ device: 'cpu', threads: 1 });
  const off = prepared.map(({ expected, ...rest }) => {
    const wrong = expected.slice();
    wrong[wrong.length - 1]! += Math.max(...wrong.map(Math.abs)) * 1e-4;
    return { ...rest, expected: wrong };
  });
  const found = await checkWork(backend, off);
  await backend.dispose();
  expect(found.filter(({ ok }) => ok)).toEqual([]);
});

it('at full size each product goes to the kernels that are meant for large ones', () => {
  // Hopper's own take f32 from 512 rows and columns and 128 terms (native/src/cuda/gemm_hopper.cu).
  const large = realWork().filter(({ what }) => /ridge|layers|weights/.test(what));
  expect(large).toHaveLength(4);
  for (const { operands } of large)
    for (const extent of operands[0]!) expect(extent).toBeGreaterThanOrEqual(512);
});
