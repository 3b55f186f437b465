import { expect, it } from 'vitest';
import { OnDevice } from '../src/decoders/onDevice.ts';

/** Each load ends when the test says so. */
function loads() {
  const begun: { resolve(value: string): void; reject(error: Error): void }[] = [];
  const freed: string[] = [];
  const onDevice = new OnDevice<string>(
    () => new Promise((resolve, reject) => begun.push({ resolve, reject })),
    (held) => freed.push(held),
  );
  return { begun, freed, onDevice };
}

it('loads once, however many ask', async () => {
  const { begun, freed, onDevice } = loads();
  const all = [onDevice.get(), onDevice.get()];
  begun[0]!.resolve('a');
  expect(await Promise.all(all)).toEqual(['a', 'a']);
  expect(await onDevice.get()).toBe('a');
  expect(begun).toHaveLength(1);
  onDevice.dispose();
  expect(freed).toEqual(['a']);
});

it('loads once more after a failure, though somebody else still waits for that', async () => {
  const { begun, freed, onDevice } = loads();
  const again: Promise<string>[] = [];
  const first = onDevice.get().catch(() => void again.push(onDevice.get()));
  const second = onDevice.get().catch(() => void again.push(onDevice.get()));
  begun[0]!.reject(new Error('lost'));
  await Promise.all([first, second]);
  again.push(onDevice.get());
  expect(begun).toHaveLength(2);
  begun[1]!.resolve('b');
  expect(await Promise.all(again)).toEqual(['b', 'b', 'b']);
  onDevice.dispose();
  expect(freed).toEqual(['b']);
});

it('frees what comes after the decoder has been disposed', async () => {
  const { begun, freed, onDevice } = loads();
  const late = onDevice.get();
  onDevice.dispose();
  begun[0]!.resolve('c');
  await expect(late).rejects.toMatchObject({ code: 'DISPOSED' });
  expect(freed).toEqual(['c']);
});
