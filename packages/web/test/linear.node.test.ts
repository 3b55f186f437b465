import { cast, linear } from '@fmri2image/core';
import { expect, it } from 'vitest';
import { createWebBackend } from '../src/index.ts';
import { describeOnDevice } from './available.ts';

describeOnDevice('layers', () => {
  it.each(['f16', 'bf16'] as const)('read every %s as cast does, on bits', async (dtype) => {
    const backend = await createWebBackend();
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const weight = backend.tensor(patterns, [65536, 1], dtype);
    const read = await linear(backend.tensor([1], [1, 1]), weight).download();
    const expected = await cast(weight, 'f32').download();
    await backend.dispose();
    // A product with a number below the smallest normal one may be 0.
    const normal = (value: number) => (Math.abs(value) < 2 ** -126 ? 0 : value);
    expect(Array.from(read, normal)).toEqual(Array.from(expected, (value) => normal(value) + 0));
  });

  it.each([
    ['in workgroup memory', 'f16', false],
    ['without', 'bf16', true],
  ] as const)('take nothing from their neighbours, %s', async (_, dtype, avoidBarriers) => {
    const backend = await createWebBackend({ limits: { avoidBarriers } });
    // Before and behind the rows that are read, within the same words too, all is NaN, and so is one row.
    const [n, k, row, nan] = [35, 37, 20, 0x7fff];
    const ones = { f16: 0x3c00, bf16: 0x3f80 }[dtype];
    const bits = Uint16Array.from({ length: (n + 2) * k }, (_, i) =>
      [0, row + 1, n + 1].includes(Math.floor(i / k)) ? nan : ones,
    );
    const weight = backend.tensor(bits, [n + 2, k], dtype).rows(1, n + 1);
    const x = backend
      .tensor(
        Array.from({ length: 5 * k }, (_, i) => (i < k || i >= 4 * k ? NaN : 1)),
        [5, k],
      )
      .rows(1, 4);
    const y = await linear(x, weight).download();
    await backend.dispose();
    expect([...y]).toEqual(Array.from({ length: 3 * n }, (_, i) => (i % n === row ? NaN : k)));
  });
});
