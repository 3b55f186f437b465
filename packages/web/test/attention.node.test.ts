import { attentionWithLse, type Backend, createReferenceBackend } from '@fmri2image/core';
import { expect, it } from 'vitest';
import { createWebBackend } from '../src/index.ts';
import { describeOnDevice } from './available.ts';

const [QUERIES, KEYS, DIM] = [3, 5, 7];

/**
 * Two heads. The last key, if it is masked, its value, all values of the second head and all that lies around the
 * operands is NaN; the bias hides every key from query 1.
 */
async function attend(backend: Backend, masked: boolean) {
  const waves = (rows: number, phase: number) =>
    Array.from({ length: rows * DIM }, (_, i) => Math.sin(phase + 1.7 * i));
  const nan = (rows: number) => Array<number>(rows * DIM).fill(NaN);
  const between = (rows: number, first: number[], second: number[]) =>
    backend.tensor([...nan(2 * rows), ...first, ...second, ...nan(2 * rows)], [3, 2, rows, DIM]).rows(1, 2);
  const keyed = (phase: number) => [...waves(KEYS - 1, phase), ...(masked ? nan(1) : waves(1, 5))];
  const q = between(QUERIES, waves(QUERIES, 0), waves(QUERIES, 3));
  const bias = Array.from({ length: QUERIES * KEYS }, (_, i) =>
    Math.floor(i / KEYS) === 1 ? -Infinity : Math.cos(i),
  );
  const { y, lse } = attentionWithLse(
    q,
    between(KEYS, keyed(1), keyed(4)),
    between(KEYS, keyed(2), nan(KEYS)),
    {
      bias: backend.tensor(bias, [1, QUERIES, KEYS]),
      mask: masked ? backend.tensor(Uint8Array.from([1, 1, 1, 1, 0]), [1, KEYS]) : undefined,
    },
  );
  return [...(await y.download()), ...(await lse.download())];
}

describeOnDevice('attention', () => {
  it.each([
    ['in workgroup memory', { avoidBarriers: false }],
    ['without', { avoidBarriers: true }],
    ['in pieces', { avoidBarriers: true, maxBindingBytes: 600 }],
  ])('takes nothing from what is hidden, %s', async (_, limits) => {
    const [reference, web] = [createReferenceBackend(), await createWebBackend({ limits })];
    for (const masked of [true, false]) {
      const expected = await attend(reference, masked);
      expect(expected.slice(DIM, 2 * DIM)).toEqual(Array(DIM).fill(0));
      expect(expected.at(-2)).toBe(-Infinity);
      for (const [i, value] of (await attend(web, masked)).entries()) {
        if (Number.isFinite(expected[i])) expect(value).toBeCloseTo(expected[i]!, 5);
        else expect(value).toBe(expected[i]);
      }
    }
    await web.dispose();
    await reference.dispose();
  });
});
