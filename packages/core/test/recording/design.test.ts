import { describe, expect, it } from 'vitest';
import {
  type Arrangement,
  arrange,
  arrangeTrials,
  designOf,
  NORMALISATIONS,
  type NormalisationName,
  packRecording,
  type Recording,
} from '../../src/index.ts';
import { memoryStore, sketchRecording } from './helpers.ts';

const recording = sketchRecording();
const { data, voxels, trials } = recording;
const x = (trial: number, voxel: number) => data[trial * voxels + voxel]!;
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values: readonly number[], ddof = 0) => {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - ddof));
};
const all = [...trials.keys()];
const isTraining = (arrangement: Arrangement) => {
  const training = new Set(arrangement.train.flatMap((row) => [...row.trials]));
  return (trial: number) => training.has(trial);
};

/** Plainly, one value at a time: what a row of the design is for one voxel. */
function expected(
  arrangement: Arrangement,
  name: NormalisationName,
  voxel: number,
  side: 'train' | 'test',
): number[] {
  const trains = isTraining(arrangement);
  const unit = (trial: number) =>
    name === 'run' ? `${trials[trial]!.session}/${trials[trial]!.run}` : trials[trial]!.session;
  const fitted = (trial: number) =>
    name === 'session-train' ? trains(trial) : name === 'mindeye2' ? !trials[trial]!.shared : true;
  const single = (trial: number): number => {
    if (!['session-train', 'mindeye2', 'mindeye2-released', 'run'].includes(name)) return x(trial, voxel);
    const own = all
      .filter((other) => unit(other) === unit(trial) && fitted(other))
      .map((other) => x(other, voxel));
    return (x(trial, voxel) - mean(own)) / deviation(own);
  };
  const rows = (which: 'train' | 'test') =>
    arrangement[which].map((row) => mean([...row.trials].map(single)));
  if (!['train', 'takagi', 'brain-diffuser'].includes(name)) return rows(side);
  const training = rows('train');
  const spread = deviation(training, name === 'brain-diffuser' ? 1 : 0);
  return rows(side).map((value) => (value - mean(training)) / spread);
}

describe('designOf', () => {
  const averages = { none: 'none', normalised: 'normalised', predictions: 'predictions' } as const;
  for (const name of Object.keys(NORMALISATIONS) as NormalisationName[]) {
    it(`normalises by ${name} as a plain computation does, whatever the blocks`, async () => {
      const packed = await packRecording(recording, { store: memoryStore() });
      for (const average of Object.values(averages)) {
        const arrangement = arrange(recording, { split: 'mindeye2-new-test', average });
        const design = designOf(packed, arrangement, name);
        const blocks = [await design.read(0, 20), await design.read(20, voxels)];
        for (const side of ['train', 'test'] as const) {
          for (const voxel of [0, 19, 20, 63, 64, 72]) {
            const [block, first, width] = voxel < 20 ? [blocks[0]!, 0, 20] : [blocks[1]!, 20, voxels - 20];
            const values = expected(arrangement, name, voxel, side);
            expect(design[side]).toBe(values.length);
            for (const [r, value] of values.entries()) {
              expect(block[side][r * width + voxel - first]).toBeCloseTo(value, 5);
            }
          }
        }
        expect(design.warnings).toEqual([]);
      }
    });
  }

  it('averages betas before normalising by rows, and refuses to where sessions are normalised', async () => {
    const packed = await packRecording(recording);
    const arrangement = arrange(recording, { split: 'brain-diffuser' });
    expect(arrangement.average).toEqual({ train: 'betas', test: 'betas' });
    const design = designOf(packed, arrangement, 'brain-diffuser');
    const { train, test } = await design.read(3, 5);
    for (const [r, value] of expected(arrangement, 'brain-diffuser', 4, 'train').entries())
      expect(train[2 * r + 1]).toBeCloseTo(value, 5);
    for (const [r, value] of expected(arrangement, 'brain-diffuser', 3, 'test').entries())
      expect(test[2 * r]).toBeCloseTo(value, 5);
    const rows = arrangement.train.map((row) => mean([...row.trials].map((trial) => x(trial, 4))));
    const { mean: m, std } = design.statistics!(4, 5);
    expect(m[0]).toBeCloseTo(mean(rows), 5);
    expect(std[0]).toBeCloseTo(deviation(rows, 1), 5);
    expect(() => design.statistics!(5, 6)).toThrow(/voxels that were read/);
    for (const name of ['session-train', 'mindeye2', 'mindeye2-released', 'run'] as const) {
      expect(() => designOf(packed, arrangement, name)).toThrow(/are averaged before .* could normalise/);
    }
    expect(
      designOf(packed, arrange(recording, { split: 'mindeye1' }), 'session-train').statistics,
    ).toBeUndefined();
  });

  it('writes in the ledger what was fitted, on what, and whether test trials took part', async () => {
    const packed = await packRecording(recording);
    const arrangement = arrange(recording, { split: 'mindeye2-new-test' });
    const steps = (name: NormalisationName) => designOf(packed, arrangement, name).ledger.slice(1);
    expect(designOf(packed, arrangement, 'none').ledger).toEqual(recording.ledger);
    for (const [name, saw] of [
      ['session-train', 'no'],
      ['mindeye2', 'no'],
      ['mindeye2-released', 'yes'],
      ['run', 'yes'],
      ['takagi', 'no'],
      ['brain-diffuser', 'no'],
    ] as const) {
      const [step, ...more] = steps(name);
      expect(more).toEqual([]);
      expect(step).toMatchObject({ sawTest: saw, runs: ['1', '2', '3'] });
      expect(step!.note!.includes('transductive')).toBe(saw === 'yes');
    }
    // Here test trials are no shared ones: what MindEye2 leaves out does not help.
    const even = arrangeTrials(recording, {
      name: 'even',
      train: Int32Array.from(all.filter((t) => t % 2 === 0)),
      test: Int32Array.from(all.filter((t) => t % 2 === 1)),
    });
    expect(designOf(packed, even, 'mindeye2').ledger[1]).toMatchObject({ sawTest: 'yes' });
  });

  it('uses nothing of test trials but where the ledger says so', async () => {
    const arrangement = arrange(recording, { split: 'mindeye2-new-test' });
    const isTest = new Set(arrangement.test.flatMap((row) => [...row.trials]));
    const noisy = sketchRecording({
      change: (values) => {
        for (const trial of isTest) values.fill(trial * 1000, trial * voxels, (trial + 1) * voxels);
      },
    });
    for (const name of Object.keys(NORMALISATIONS) as NormalisationName[]) {
      const before = designOf(await packRecording(recording), arrangement, name);
      const after = designOf(await packRecording(noisy), arrangement, name);
      const [one, other] = [(await before.read(0, 3)).train, (await after.read(0, 3)).train];
      const equal = one.every((value, i) => value === other[i]);
      expect([name, equal]).toEqual([name, !before.ledger.some(({ sawTest }) => sawTest === 'yes')]);
    }
  });

  it('makes voxels without variance 0 and counts them', async () => {
    const flat = sketchRecording({
      change: (values) => {
        for (let t = 0; t < trials.length; t++) {
          values[t * voxels + 7] = 0.1;
          // Constant in the second session alone.
          if (t >= 40 && t < 80) values[t * voxels + 9] = 1 / 3;
        }
      },
    });
    const packed = await packRecording(flat);
    const arrangement = arrange(flat, { split: 'mindeye1' });
    for (const [name, count] of [
      ['session-train', 2],
      ['takagi', 1],
    ] as const) {
      const design = designOf(packed, arrangement, name);
      const { train, test } = await design.read(0, voxels);
      expect(design.warnings).toEqual([
        `${count} of ${voxels} voxels do not vary where they are normalised; they are 0 there`,
      ]);
      for (let r = 0; r < design.train; r++) expect(train[r * voxels + 7]).toBe(0);
      for (let r = 0; r < design.test; r++) expect(test[r * voxels + 7]).toBe(0);
      expect(train.every(Number.isFinite)).toBe(true);
    }
  });

  it('reads the columns of an ROI alone', async () => {
    const packed = await packRecording(recording, { store: memoryStore() });
    const arrangement = arrange(recording, { split: 'takagi' });
    const columns = recording.regions.get('streams:early')!;
    const part = designOf(packed, arrangement, 'takagi', { columns });
    const whole = await designOf(packed, arrangement, 'takagi').read(0, voxels);
    const { train } = await part.read(0, 3);
    for (let r = 0; r < part.train; r++) {
      for (const [c, column] of columns.entries())
        expect(train[3 * r + c]).toBe(whole.train[r * voxels + column]);
    }
    expect([...part.selection.indices]).toEqual([4, 6, 132]);
    expect([...part.regions.get('streams')!]).toEqual([0, 1, 2]);
    expect(() => designOf(packed, arrangement, 'takagi', { columns: Int32Array.of(3, 3) })).toThrow(
      /ascending/,
    );
    await expect(part.read(0, 4)).rejects.toThrow(/voxels out of bounds/);
  });

  it('refuses what cannot be normalised so', async () => {
    const packed = await packRecording(recording);
    const arrangement = arrangeTrials(recording, {
      name: 'last session',
      train: Int32Array.from(all.slice(0, 80)),
      test: Int32Array.from(all.slice(80)),
    });
    expect(() => designOf(packed, arrangement, 'session-train')).toThrow(
      /session 3 has no trial .*transductive/,
    );
    expect(() => designOf(packed, arrangement, 'zscore' as never)).toThrow(
      /unknown normalisation.*session-train/,
    );
    const unknown: Recording = { ...recording, trials: trials.map(({ shared: _, ...trial }) => trial) };
    expect(() => arrange(unknown, { split: 'takagi' })).toThrow(/pictures that all subjects saw/);
    const own = arrange(unknown, { split: 'split' });
    expect(() => designOf({ ...packed, trials: unknown.trials }, own, 'mindeye2')).toThrow(
      /which pictures are shared/,
    );
  });
});
