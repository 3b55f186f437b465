import { describe, expect, it } from 'vitest';
import {
  arrange,
  arrangeTrials,
  publishedSubject,
  type RecordedTrial,
  type RecordingFacts,
  regionColumns,
  type SPLIT_NAMES,
  type SPLITS,
} from '../../src/index.ts';
import { sketchRecording } from './helpers.ts';

/**
 * An order of NSD's shape, whose order itself cannot be had without its files: 10,000 pictures three times over 40 sessions
 * of 750 trials, the first 1000 shared, so that what is published of its first sessions holds: after 27, 29, 30, 32, 37 and
 * 40 sessions 1985, 2113, 2188, 2371, 2770 and 3000 trials of shared pictures (MindEye1 and 2), of which 907, 930, 982 and
 * 1000 pictures by then (30, 32, 37, 40), and 8859 others after 37.
 */
function nsdOrder(): Int32Array {
  const milestones = [
    { sessions: 27, shared: 1985, sharedSeen: 880, othersSeen: 7800 },
    { sessions: 29, shared: 2113, sharedSeen: 900, othersSeen: 8150 },
    { sessions: 30, shared: 2188, sharedSeen: 907, othersSeen: 9209 - 907 },
    { sessions: 32, shared: 2371, sharedSeen: 930, othersSeen: 9411 - 930 },
    { sessions: 37, shared: 2770, sharedSeen: 982, othersSeen: 8859 },
    { sessions: 40, shared: 3000, sharedSeen: 1000, othersSeen: 9000 },
  ];
  const left = new Uint8Array(10_000).fill(3);
  const order: number[] = [];
  /** Shows so many trials of pictures [from, to), of which `seen` have been shown at the end. */
  const show = (from: number, to: number, trials: number, seen: number): void => {
    let shown = 0;
    for (let picture = from; picture < to; picture++) if (left[picture]! < 3) shown++;
    let rest = trials;
    for (let picture = from; picture < to && shown < seen; picture++) {
      if (left[picture] !== 3) continue;
      left[picture]!--;
      order.push(picture);
      shown++;
      rest--;
    }
    for (let picture = from; picture < to && rest > 0; picture++) {
      while (rest > 0 && left[picture]! > 0 && left[picture]! < 3) {
        left[picture]!--;
        order.push(picture);
        rest--;
      }
    }
    expect(rest).toBe(0);
  };
  let before = { sessions: 0, shared: 0 };
  for (const { sessions, shared, sharedSeen, othersSeen } of milestones) {
    show(0, 1000, shared - before.shared, sharedSeen);
    show(1000, 10_000, 750 * (sessions - before.sessions) - (shared - before.shared), othersSeen);
    before = { sessions, shared };
  }
  return Int32Array.from(order);
}

const order = nsdOrder();

function nsd(subject: number): RecordingFacts {
  const { sessions } = publishedSubject(subject)!;
  const seen = new Map<number, number>();
  const trials = Array.from(order.subarray(0, 750 * sessions), (place, i): RecordedTrial => {
    const repeat = seen.get(place) ?? 0;
    seen.set(place, repeat + 1);
    // Numbers among the 73,000 are in another order than the subject's own.
    const stimulus = (place * 7 + subject) % 73_000;
    return { session: `${Math.floor(i / 750) + 1}`, run: '1', stimulus, repeat, shared: place < 1000 };
  });
  const selection = { description: '', indices: new Int32Array(0) };
  return { name: 'nsd', subject, trials, voxels: 0, selection, regions: new Map(), ledger: [], warnings: [] };
}

const one = nsd(1);

describe('published splits', () => {
  it('count what was published, on an order of the published shape', () => {
    expect(one.trials).toHaveLength(30_000);
    const counts = (split: (typeof SPLIT_NAMES)[number]) => arrange(one, { split }).counts;
    expect(counts('mindeye2-new-test')).toEqual([
      '9000 training pictures',
      '27,000 training trials',
      '1000 test pictures',
      '3000 test trials',
    ]);
    for (const split of ['mindeye2-old-test', 'mindeye1', 'brain-diffuser', 'takagi'] as const) {
      expect(counts(split)).toEqual([
        '8859 training pictures',
        '24,980 training trials',
        '982 test pictures',
        '2770 test trials',
      ]);
    }
    // 37 sessions of 750.
    expect(24_980 + 2770).toBe(37 * 750);
  });

  it('leave out the last three sessions of each subject, not the first 37 of all', () => {
    for (const [subject, newTest, oldTest, trials] of [
      [3, 2371, 2113, 29 * 750],
      [6, 2371, 2113, 29 * 750],
      [4, 2188, 1985, 27 * 750],
      [8, 2188, 1985, 27 * 750],
    ] as const) {
      const recording = nsd(subject);
      const [all, first] = [
        arrange(recording, { split: 'mindeye2-new-test' }),
        arrange(recording, { split: 'mindeye2-old-test' }),
      ];
      expect([all.test.length, first.test.length]).toEqual([newTest, oldTest]);
      expect(first.train.length + first.test.length).toBe(trials);
      expect([...all.counts, ...first.counts].join()).not.toContain('published');
    }
  });

  it('arrange rows as published: single or averaged, pictures ascending', () => {
    const rows = (split: keyof typeof SPLITS) => {
      const { train, test } = arrange(one, { split });
      return [train.length, test.length];
    };
    expect(rows('brain-diffuser')).toEqual([8859, 982]);
    expect(rows('takagi')).toEqual([24_980, 982]);
    expect(rows('mindeye1')).toEqual([24_980, 982]);
    expect(rows('mindeye2-new-test')).toEqual([27_000, 3000]);
    expect(rows('mindeye2-old-test')).toEqual([24_980, 2770]);
    const { train, test } = arrange(one, { split: 'mindeye2-new-test' });
    const inOrder = (values: number[]) => values.every((value, i) => i === 0 || value >= values[i - 1]!);
    expect(inOrder(train.map((row) => row.trials[0]!))).toBe(true);
    expect(inOrder(test.map(({ stimulus }) => stimulus))).toBe(true);
    const averaged = arrange(one, { split: 'brain-diffuser' }).train;
    expect(inOrder(averaged.map(({ stimulus }) => stimulus))).toBe(true);
    for (const { stimulus, trials } of averaged.slice(0, 50)) {
      for (const trial of trials) expect(one.trials[trial]!.stimulus).toBe(stimulus);
    }
    // All presentations of the picture in the first 37 sessions.
    const [{ stimulus, trials }] = averaged as [(typeof averaged)[number]];
    const all = [...one.trials.entries()].filter(([i, trial]) => trial.stimulus === stimulus && i < 37 * 750);
    expect([...trials]).toEqual(all.map(([i]) => i));
  });

  it('say what was found and what was published where they differ', () => {
    const recording = { ...sketchRecording(), subject: 1 };
    const { counts, warnings } = arrange(recording, { split: 'takagi' });
    expect(counts).toEqual([
      '35 training pictures (published: 8859)',
      '105 training trials (published: 24,980)',
      '5 test pictures (published: 982)',
      '15 test trials (published: 2770)',
    ]);
    expect(warnings).toEqual([]);
    expect(arrange(sketchRecording(), { split: 'takagi' }).counts[0]).toBe('35 training pictures');
  });
});

describe('arrangements', () => {
  const recording = sketchRecording();
  const all = Int32Array.from(recording.trials.keys());

  it('are made of any division of trials, and say when test pictures were trained on', () => {
    const isLast = (trial: number) => recording.trials[trial]!.session === '3';
    const sides = { name: 'session 3', train: all.filter((t) => !isLast(t)), test: all.filter(isLast) };
    const { name, train, test, warnings, average } = arrangeTrials(recording, sides, 'normalised');
    expect(name).toBe('session 3');
    expect(average).toEqual({ train: 'normalised', test: 'normalised' });
    expect(train.flatMap(({ trials }) => [...trials]).sort((a, b) => a - b)).toEqual([...sides.train]);
    const both = new Set(train.map(({ stimulus }) => stimulus));
    const seen = test.filter(({ stimulus }) => both.has(stimulus)).length;
    expect(warnings).toEqual([`${seen} of ${test.length} test stimuli were shown in training trials, too`]);
    const single = arrangeTrials(recording, sides, { train: 'none', test: 'predictions' });
    expect(single.test).toHaveLength(40);
    expect(arrange(recording, { split: 'split', average: 'predictions' }).average).toEqual({
      train: 'none',
      test: 'predictions',
    });
  });

  it('refuse what cannot be arranged', () => {
    const half = all.subarray(0, 60);
    const sides = (train: Int32Array, test: Int32Array) => () =>
      arrangeTrials(recording, { name: 'mine', train, test });
    expect(sides(half, half.slice(59))).toThrow(/mine: trials are on both sides; expected none, found 1/);
    expect(sides(half, new Int32Array(0))).toThrow(/no test trial in mine/);
    expect(sides(half, Int32Array.of(120))).toThrow(/test: not trials of sketch; expected 0 to 119/);
    expect(sides(half, Int32Array.of(70, 70))).toThrow(/each once, found 70/);
    expect(() => arrange(recording, { split: 'takagi', average: 'late' as never })).toThrow(
      /average\.train: there is no such stage.*none, betas, normalised, found late/,
    );
    expect(() => arrange(recording, { split: 'nsd' as never })).toThrow(
      /unknown split.*brain-diffuser.*split/,
    );
    const unsplit = {
      ...recording,
      trials: recording.trials.map((trial) => ({ ...trial, split: undefined })),
    };
    expect(() => arrange(unsplit, { split: 'split' })).toThrow(/no training trial in split/);
  });
});

describe('regionColumns', () => {
  const { regions } = sketchRecording();
  const columns = (wanted: string) => [...regionColumns(regions, wanted)];

  it('finds ROIs by atlas and label, joined by +', () => {
    expect(columns('streams')).toEqual([1, 2, 3, 60, 66]);
    expect(columns('streams:early')).toEqual([2, 3, 66]);
    expect(columns('early')).toEqual([2, 3, 66]);
    expect(columns('streams:early+ventral')).toEqual([1, 2, 3, 60, 66]);
    expect(columns('streams:early + faces:FFA-1')).toEqual([2, 3, 5, 7, 66]);
    expect(columns('faces:ventral+streams:ventral')).toEqual([1, 5, 60]);
  });

  it('lists those that there are', () => {
    expect(() => columns('ventral')).toThrow(
      /several atlases have a label ventral.*streams:ventral or faces:ventral/,
    );
    expect(() => columns('V1v')).toThrow(/roi: no such ROI.*one of whole, streams, streams:early/);
    expect(() => columns('streams:erly')).toThrow(/did you mean streams:early/);
    expect(() => regionColumns(new Map(), 'V1', '--roi')).toThrow(/--roi: no such ROI.*this has none/);
  });
});
