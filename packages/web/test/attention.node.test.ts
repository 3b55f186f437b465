import { attentionWithLse, type Backend, createReferenceBackend } from '@fmri2image/core';
import { expect, it } from 'vitest';
import { createWebBackend } from '../src/index.ts';
import { describeOnDevice } from './available.ts';

const [QUERIES, KEYS, DIM] = [3, 5, 7];

/**
 * The last key is masked, and it, its value and all that lies around the operands is NaN; the bias hides every key
 * from query 1.
 */
async function attend(backend: Backend) {
  const waves = (rows: number, phase: number) =>
    Array.from({ length: rows * DIM }, (_, i) => Math.sin(phase + 1.7 * i));
  const between = (rows: number, values: number[]) => {
    const around = Array(rows * DIM).fill(NaN);
    return backend.tensor([...around, ...values, ...around], [3, 1, rows, DIM]).rows(1, 2);
  };
  const keyed = (phase: number) =>
    between(KEYS, [...waves(KEYS - 1, phase), ...Array<number>(DIM).fill(NaN)]);
  const bias = Array.from({ length: QUERIES * KEYS }, (_, i) =>
    Math.floor(i / KEYS) === 1 ? -Infinity : Math.cos(i),
  );
  const { y, lse } = attentionWithLse(between(QUERIES, waves(QUERIES, 0)), keyed(1), keyed(2), {
    bias: backend.tensor(bias, [1, QUERIES, KEYS]),
    mask: backend.tensor(Uint8Array.from([1, 1, 1, 1, 0]), [1, KEYS]),
  });
  const results = [...(await y.download()), ...(await lse.download())];
  await backend.dispose();
  return results;
}

describeOnDevice('attention', () => {
  it.each([
    ['in workgroup memory', { avoidBarriers: false }],
    ['without', { avoidBarriers: true }],
    ['in pieces', { avoidBarriers: true, maxBindingBytes: 600 }],
  ])('takes nothing from what is hidden, %s', async (_, limits) => {
    const expected = await attend(createReferenceBackend());
    const found = await attend(await createWebBackend({ limits }));
    expect(expected.slice(DIM, 2 * DIM)).toEqual(Array(DIM).fill(0));
    expect(expected.at(-2)).toBe(-Infinity);
    for (const [i, value] of found.entries()) {
      if (Number.isFinite(expected[i])) expect(value).toBeCloseTo(expected[i]!, 5);
      else expect(value).toBe(expected[i]);
    }
  });
});
