import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createRandom, packFile, packRecording, type Recording } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'fmri2image-pack-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);
const [trials, voxels] = [30, 70];
const data = Float32Array.from(createRandom(1).normals(trials * voxels));

/** Three sessions; reading the third can be made to fail. */
function recording(fails = false): Recording & { reads: number } {
  return {
    name: 'small',
    reads: 0,
    trials: Array.from({ length: trials }, (_, i) => ({
      session: `${Math.floor(i / 10)}`,
      run: '1',
      stimulus: i,
      repeat: 0,
    })),
    voxels,
    selection: { description: '', indices: Int32Array.from({ length: voxels }, (_, v) => v) },
    regions: new Map(),
    ledger: [],
    warnings: [],
    async readTrials(from, to) {
      this.reads++;
      if (fails && from === 20) throw new Error('the disk went away');
      return data.slice(from * voxels, to * voxels);
    },
    close: () => undefined,
  };
}

describe('packFile', () => {
  it('keeps finished sessions over a failure and another process’s start', async () => {
    const first = await packFile(at('a.pack'));
    await expect(packRecording(recording(true), { store: first })).rejects.toThrow('the disk went away');
    first.close();
    const store = await packFile(at('a.pack'));
    const again = recording();
    const packed = await packRecording(again, { store });
    expect(again.reads).toBe(1);
    const values = await packed.readVoxels(Int32Array.of(0, 63, 64, 69));
    for (let t = 0; t < trials; t++) {
      for (const [c, voxel] of [0, 63, 64, 69].entries()) {
        expect(values[4 * t + c]).toBe(data[t * voxels + voxel]);
      }
    }
    packed.close();
    packed.close();
  });

  it('is no file that holds anything else', async () => {
    writeFileSync(at('notes.txt'), 'mine');
    const store = await packFile(at('notes.txt'));
    await expect(packRecording(recording(), { store })).rejects.toThrow(
      /notes\.txt: it holds other responses/,
    );
    store.close();
    expect(readFileSync(at('notes.txt'), 'utf8')).toBe('mine');
    await expect(packFile(at('none/a.pack'))).rejects.toThrow(/a\.pack: cannot write it: no such file/);
  });
});
