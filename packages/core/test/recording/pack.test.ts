import { describe, expect, it } from 'vitest';
import { packRecording, someVoxels } from '../../src/index.ts';
import { errorOf } from '../data/helpers/errors.ts';
import { memoryStore, sketchRecording } from './helpers.ts';

const voxels = 150;
const some = Int32Array.of(0, 3, 63, 64, 127, 128, 149);

describe('packRecording', () => {
  it('keeps every value, in memory and in a file, and reads voxels of all trials', async () => {
    const recording = sketchRecording({ voxels });
    const store = memoryStore();
    for (const packed of [await packRecording(recording), await packRecording(recording, { store })]) {
      const values = await packed.readVoxels(some);
      expect(values).toHaveLength(120 * some.length);
      for (let t = 0; t < 120; t++) {
        for (const [c, voxel] of some.entries()) {
          expect(values[t * some.length + c]).toBe(recording.data[t * voxels + voxel]);
        }
      }
      expect(packed).toMatchObject({ name: 'sketch', voxels, warnings: ['odd'] });
      await expect(packed.readVoxels(Int32Array.of(4, 3))).rejects.toThrow(/ascending/);
    }
    // Session by session, each once.
    expect(recording.reads.slice(0, 3)).toEqual([
      [0, 40],
      [40, 80],
      [80, 120],
    ]);
    // Nothing but what is needed.
    expect(store.bytes.length).toBe(4096 + 4 * 120 * voxels);
  });

  it('keeps the voxels of an ROI alone, with their places', async () => {
    const recording = sketchRecording({ voxels });
    const columns = recording.regions.get('streams')!;
    const packed = await packRecording(recording, { columns, store: memoryStore() });
    expect(packed.voxels).toBe(5);
    expect([...packed.selection.indices]).toEqual([2, 4, 6, 120, 132]);
    expect([...packed.regions.get('streams:early')!]).toEqual([1, 2, 4]);
    const values = await packed.readVoxels(Int32Array.of(1, 4));
    expect(values[2 * 50]).toBe(recording.data[50 * voxels + 2]);
    expect(values[2 * 50 + 1]).toBe(recording.data[50 * voxels + 66]);
  });

  it('goes on after a kill at any write, without reading finished sessions again', async () => {
    const whole = memoryStore();
    await packRecording(sketchRecording({ voxels }), { store: whole });
    for (let failAfter = 0; failAfter < whole.writes; failAfter++) {
      const store = memoryStore();
      store.failAfter = failAfter;
      await expect(packRecording(sketchRecording({ voxels }), { store })).rejects.toThrow('killed');
      store.failAfter = Number.POSITIVE_INFINITY;
      const again = sketchRecording({ voxels });
      await packRecording(again, { store });
      // A header, then for each session its three blocks of voxels, the flags, and that it is done.
      expect(again.reads).toHaveLength(3 - Math.floor(Math.max(0, failAfter - 1) / 5));
      // Element by element, as toEqual does, would take seconds.
      expect(Buffer.compare(store.bytes, whole.bytes)).toBe(0);
    }
  });

  it('refuses a file of other responses, or of anything else', async () => {
    const store = memoryStore();
    await packRecording(sketchRecording({ voxels }), { store });
    const refused = async (recording = sketchRecording({ voxels })) =>
      (await errorOf(packRecording(recording, { store }))).message;
    expect(await refused(sketchRecording({ voxels, seed: 2 }))).toMatch(
      /pack\.bin: it holds other responses/,
    );
    expect(await refused(sketchRecording({ voxels: 149 }))).toMatch(/it holds other responses/);
    for (const own of ['my only copy of the data', 'mine', 'f2i']) {
      const foreign = memoryStore();
      foreign.bytes = new TextEncoder().encode(own);
      const outcome = packRecording(sketchRecording({ voxels }), { store: foreign });
      // The beginning of our own mark is a file that was just begun.
      if (own === 'f2i') await expect(outcome).resolves.toMatchObject({ voxels });
      else await expect(outcome).rejects.toThrow(/it holds other/);
      if (own !== 'f2i') expect(new TextDecoder().decode(foreign.bytes)).toBe(own);
    }
  });

  it('counts voxels that are not finite, and leaves them out on request', async () => {
    const change = (data: Float32Array) => {
      data[5 * voxels + 64] = Number.NaN;
      data[100 * voxels + 3] = Number.POSITIVE_INFINITY;
    };
    for (const store of [undefined, memoryStore()]) {
      const recording = sketchRecording({ voxels, change });
      const error = await errorOf(packRecording(recording, { store }));
      expect(error.code).toBe('FORMAT');
      expect(error.message).toMatch(
        /sketch: voxels: values that are not finite in 2 of 150 voxels, first in voxel 3, trial 101 \(session 3, run 2\).*'drop'/,
      );
      const packed = await packRecording(recording, { store, badVoxels: 'drop' });
      expect(packed.voxels).toBe(148);
      expect(packed.warnings.at(-1)).toBe('left out 2 of 150 voxels with values that are not finite');
      expect([...packed.selection.indices.slice(2, 5)]).toEqual([4, 8, 10]);
      expect([...packed.regions.get('streams:early')!]).toEqual([2, 64]);
      const some = someVoxels(
        recording,
        Int32Array.from({ length: voxels }, (_, v) => v).filter((v) => v !== 3 && v !== 64),
      );
      expect(some.selection).toEqual(packed.selection);
      const alike = await packRecording(some);
      expect(await alike.readVoxels(Int32Array.of(2, 147))).toEqual(
        await packed.readVoxels(Int32Array.of(2, 147)),
      );
      const values = await packed.readVoxels(Int32Array.of(3, 62));
      expect([...values.slice(0, 2)]).toEqual([recording.data[4], recording.data[63]]);
    }
  });

  it('stops when it is cancelled', async () => {
    const abort = new AbortController();
    const recording = sketchRecording({ voxels });
    const onProgress = ({ done }: { done: number }) => {
      if (done === 1) abort.abort();
    };
    const store = memoryStore();
    const error = await errorOf(packRecording(recording, { store, signal: abort.signal, onProgress }));
    expect(error.code).toBe('CANCELLED');
  });
});
