import { describe, expect, it } from 'vitest';
import { planStreamed } from '../../src/decoders/ridge/streamed/index.ts';
import { planCeiling, type SharedMemory, shareMemory } from '../../src/recipes/ceiling.ts';
import { CUSTOM_DEFAULTS } from '../../src/recipes/custom.ts';
import { checkGpuMemory } from '../../src/recipes/runMemory.ts';
import type { RunDesign } from '../../src/recipes/runTypes.ts';

const [TRAIN, TEST, VOXELS, TARGETS] = [3000, 100, 6000, 59_136];
const head = { name: 'text', what: 'tokens', ...CUSTOM_DEFAULTS, alpha: 1e4, shape: [TARGETS] };
const unread = async () => {
  throw new Error('nothing is read');
};
const source = { name: 'y', rows: TRAIN, columns: TARGETS, shape: [TARGETS], read: unread };
const run: RunDesign = {
  design: { train: TRAIN, test: TEST, voxels: VOXELS, read: unread, ledger: [] },
  pictures: new Int32Array(TRAIN),
  intercept: true,
  heads: [{ head, targets: { source, train: new Int32Array(TRAIN) } }],
};
const settings: SharedMemory = {
  keep: 'weights',
  precision: 'auto',
  form: 'dual',
  memory: 1e9,
  resident: 150e6,
};

describe('a ceiling of a run', () => {
  it('is divided: process, device and what is read ahead with its results stay under it', () => {
    const block = TRAIN * 1024 * 4;
    for (const memory of [700e6, 1e9, 2e9, 8e9]) {
      const { device, ridge } = shareMemory(run, { ...settings, memory });
      expect(settings.resident + device + 4 * block).toBeLessThanOrEqual(memory);
      for (const one of ridge) expect(one).toBeLessThanOrEqual(memory);
      // Finer arithmetic needs more.
      expect(Math.min(...ridge)).toBe(ridge[0]);
    }
    expect(shareMemory(run, { ...settings, memory: 8e9 }).ridge).toHaveLength(3);
  });

  it('leaves less to a process that holds more already', () => {
    const [small, large] = [150e6, 500e6].map((resident) =>
      shareMemory(run, { ...settings, memory: 2e9, resident }),
    );
    expect(large!.ridge[0]).toBeLessThan(small!.ridge[0]!);
  });

  it('counts predictions beside weights: as they are computed, and on their way to the disk', () => {
    const many = { ...run, design: { ...run.design, test: 20 * TEST } };
    const least = (keep: 'weights' | 'both') => {
      let memory = 400e6;
      for (;;) {
        try {
          shareMemory(many, { ...settings, keep, precision: 'f32', memory });
          return memory;
        } catch {
          memory += 1e6;
        }
      }
    };
    const block = 20 * TEST * 2048 * 4;
    const more = least('both') - least('weights');
    expect(more).toBeGreaterThanOrEqual(4 * block - 2e6);
    expect(more).toBeLessThan(8 * block);
  });

  it('has room for a cross-validation where penalties are chosen', () => {
    const chosen = { ...run, heads: [{ ...run.heads[0]!, head: { ...head, alpha: CUSTOM_DEFAULTS.alpha } }] };
    expect(() => shareMemory(run, { ...settings, memory: 700e6 })).not.toThrow();
    expect(() => shareMemory(chosen, { ...settings, memory: 700e6 })).toThrow(/found 7\d\d MB/);
  });

  it('is refused with both numbers where nothing fits', () => {
    expect(() => shareMemory(run, { ...settings, memory: 400e6 })).toThrow(
      /expected at most 400 MB, found 6\d\d MB for 3000 training rows x 6000 voxels/,
    );
    const advice = (keep: 'both' | 'predictions', precision: 'auto' | 'f64') => {
      try {
        shareMemory(run, { ...settings, keep, precision, memory: 1.5e6 });
      } catch (error) {
        const { message } = error as Error;
        expect(message).toMatch(/expected at most 1\.5 MB, /);
        return /less takes (.*?);/.exec(message)?.[1];
      }
      throw new Error('not refused');
    };
    expect(advice('predictions', 'auto')).toBe('fewer training rows (the average of repeats)');
    expect(advice('both', 'f64')).toMatch(/, or --precision f32, or --keep predictions$/);
  });
});

describe('the memory of a GPU', () => {
  const check = (bytes: number, precision: 'auto' | 'f32' | 'f64' = 'auto') =>
    checkGpuMemory([run], { keep: 'weights', precision, storage: 'dual' }, { bytes, whose: 'set' });
  const needed = (precision: 'f32' | 'f64') => {
    const unlimited = { ...settings, precision, memory: Number.POSITIVE_INFINITY, resident: 0 };
    return shareMemory(run, unlimited).device;
  };

  it('is refused with both numbers where the cheapest arithmetic does not fit', () => {
    const bytes = needed('f32');
    expect(() => check(bytes)).not.toThrow();
    expect(() => check(bytes, 'f64')).toThrow(/does not fit/);
    try {
      check(bytes - 1);
      expect.fail('accepted');
    } catch (error) {
      expect(error).toMatchObject({
        code: 'OUT_OF_MEMORY',
        field: 'gpuMemory',
        expected: `at most ${Math.floor((bytes - 1) / 1e6)} MB, set`,
        found: `${Math.ceil(bytes / 1e6)} MB for ${TRAIN} training rows x ${VOXELS} voxels`,
      });
    }
  });

  it('that is enough is enough for the plan', () => {
    const sizes = { train: TRAIN, test: TEST, voxels: VOXELS, targets: TARGETS, trainingStatistics: true };
    const memory = planCeiling(needed('f64'));
    expect(() =>
      planStreamed({ ...sizes, precision: 'f64', form: 'dual', memory }, ['gram', 'factor', 'dual']),
    ).not.toThrow();
  });
});
