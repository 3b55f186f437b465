import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { findWrongProduct } from '../src/check.ts';
import { CpuBackend, Tensor } from '../src/index.ts';

afterEach(() => vi.restoreAllMocks());

it('a device is checked in pieces: whatever waits for the event loop has its turn between rows', async () => {
  // Each look at the clock finds that the time is up.
  let clock = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => {
    clock += 10;
    return clock;
  });
  let [isSumming, isRunning, turns] = [false, true, 0];
  const { download } = Tensor.prototype;
  vi.spyOn(Tensor.prototype, 'download').mockImplementation(async function (this: Tensor) {
    isSumming = false;
    const values = await download.call(this);
    isSumming = true;
    return values;
  });
  const others = (async () => {
    while (isRunning) {
      await nextTurn();
      if (isSumming) turns++;
    }
  })();
  const backend = new CpuBackend({ threads: 1 });
  try {
    expect(await findWrongProduct(backend)).toBeUndefined();
  } finally {
    isRunning = false;
    await others;
    await backend.dispose();
  }
  // Every eighth row of 515 and the last one.
  expect(turns).toBeGreaterThan(60);
});
