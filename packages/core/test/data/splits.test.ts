import { describe, expect, it } from 'vitest';
import { createRandom, kFolds, leaveOneGroupOut, withoutShared } from '../../src/index.ts';

describe('splits of trials that repeat stimuli', () => {
  const random = createRandom(9);
  const stimuli = Array.from({ length: 60 }, () => random.integer(25));
  const runs = Array.from({ length: 60 }, (_, i) => Math.floor(i / 10));
  const shares = ({ train, test }: { train: Int32Array; test: Int32Array }, labels: readonly unknown[]) => {
    const held = new Set(Array.from(test, (row) => labels[row]));
    return Array.from(train).filter((row) => held.has(labels[row])).length;
  };

  it('kFolds keeps repeats together', () => {
    expect(kFolds(60, { folds: 5 }).some((split) => shares(split, stimuli) > 0)).toBe(true);
    for (const seed of [undefined, 4]) {
      const splits = kFolds(60, { folds: 5, together: stimuli, seed });
      for (const split of splits) expect(shares(split, stimuli)).toBe(0);
      expect(splits.flatMap(({ test }) => [...test]).sort((a, b) => a - b)).toEqual(stimuli.map((_, i) => i));
    }
  });

  it('withoutShared leaves repeats of what is held out out of training, and nothing else', () => {
    const plain = leaveOneGroupOut(runs, 'run');
    expect(plain.some((split) => shares(split, stimuli) > 0)).toBe(true);
    const labels = stimuli.map((stimulus) => (stimulus === 3 ? undefined : stimulus));
    for (const [i, split] of withoutShared(plain, labels).entries()) {
      expect(split.test).toEqual(plain[i]!.test);
      const held = new Set(Array.from(split.test, (row) => labels[row]));
      const expected = [...plain[i]!.train].filter(
        (row) => labels[row] === undefined || !held.has(labels[row]),
      );
      expect([...split.train]).toEqual(expected);
    }
  });

  it('withoutShared refuses to leave nothing', () => {
    const all = leaveOneGroupOut([1, 1, 2, 2], 'run');
    expect(() => withoutShared(all, ['a', 'b', 'a', 'b'])).toThrow(/hold out other groups/);
  });
});
