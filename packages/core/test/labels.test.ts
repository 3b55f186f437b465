import { describe, expect, it } from 'vitest';
import {
  blocksOf,
  bytesSource,
  createRandom,
  createReferenceBackend,
  evaluateLabels,
  type Folder,
  hasBlocks,
  type LabelInput,
  labelPreparation,
  labelTargets,
  openBundle,
  prepareStudy,
  RidgeDecoder,
  type Rows,
  readBundle,
  type Study,
  saveBundle,
  standardizeRuns,
  type Trial,
} from '../src/index.ts';

/** Volumes with labels, `rest` left out, as a study holds them. */
function studyOf(labels: readonly (readonly string[])[], voxels: Rows & { data: Float32Array }): Study {
  let start = 0;
  const runs = labels.map((run, r) => {
    start += run.length;
    return { name: `run-${r + 1}`, start: start - run.length, end: start };
  });
  const trials = labels.flatMap((run, r) =>
    run.flatMap((label, i): Trial[] =>
      label === 'rest' ? [] : [{ volume: runs[r]!.start + i, label, run: runs[r]!.name }],
    ),
  );
  return {
    name: 'blocks',
    voxels,
    rows: 'volumes',
    tr: 2,
    runs,
    trials,
    continuous: false,
    scored: Int32Array.from(trials.keys()),
    selection: { description: 'all', indices: new Int32Array() },
    warnings: [],
    repairs: [],
  };
}

const flat = (n: number, v = 1) => ({ data: new Float32Array(n * v), shape: [n, v] as [number, number] });

describe('labels as targets', () => {
  const study = studyOf(
    [
      ['rest', 'face', 'face', 'rest', 'face', 'cat', 'cat'],
      ['cat', 'face'],
    ],
    flat(9),
  );

  it('are 1 for the label shown and 0 for the others, in alphabetical order or a given one', () => {
    const { stimuli, trials } = labelTargets(study);
    expect(stimuli.names).toEqual(['cat', 'face']);
    expect(Array.from(stimuli.values.data)).toEqual([1, 0, 0, 1]);
    expect(trials.map(({ stimulus }) => stimulus)).toEqual([1, 1, 1, 0, 0, 0, 1]);
    const given = labelTargets(study, ['face', 'house', 'cat']);
    expect(given.stimuli.values.shape).toEqual([3, 3]);
    expect(given.trials[0]!.stimulus).toBe(0);
    expect(given.trials.at(-2)!.stimulus).toBe(2);
  });

  it('are refused where a trial has none, an unknown one, or all have the same', () => {
    const without = { ...study, trials: study.trials.map(({ label: _, ...trial }) => trial) };
    expect(() => labelTargets(without)).toThrow(/trial 1 has no label.*expected a label of each trial/s);
    expect(() => labelTargets(study, ['face', 'house'])).toThrow(/trial 4.*one of face, house, found cat/s);
    const same = { ...study, trials: study.trials.map((trial) => ({ ...trial, label: 'face' })) };
    expect(() => labelTargets(same)).toThrow(/nothing to tell apart.*two labels or more, found face/s);
  });

  it('come in blocks that end with the label, at a gap and at the end of a run', () => {
    expect([...blocksOf(study)]).toEqual([0, 0, 1, 2, 2, 3, 4]);
    expect(hasBlocks(study)).toBe(true);
    const events = {
      ...study,
      trials: study.trials.map((trial) => ({ ...trial, volume: 3 * trial.volume! })),
    };
    expect([...blocksOf(events)]).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(hasBlocks({ ...study, rows: 'trials' })).toBe(false);
  });
});

describe('preparation for labels', () => {
  const random = createRandom(4);
  const [n, v] = [60, 3];
  const data = Float32Array.from({ length: n * v }, (_, i) => 500 + i + 20 * random.normal());
  const run = (k: number) =>
    Array.from({ length: 30 }, (_, i) => (i % 10 < 5 ? 'rest' : `label-${(i + k) % 2}`));
  const block = (k: number) =>
    Array.from({ length: 30 }, (_, i) => (i % 10 < 5 ? 'rest' : `l${k + (i > 15 ? 1 : 0)}`));
  const study = studyOf([block(0), block(0)], { data, shape: [n, v] });

  it('takes a line from blocks, z-scores each run, and reads the volume and those up to the peak', () => {
    const steps = labelPreparation(study);
    expect(steps.map(({ name }) => name)).toEqual(['detrend', 'zscore', 'sample']);
    const { voxels, ledger } = prepareStudy(study, steps);
    expect(voxels.shape).toEqual([30, 3 * v]);
    expect(ledger.map(({ step }) => step)).toEqual([
      'drift of each run (a line)',
      expect.stringMatching(/^z-scores of each voxel in each run/),
    ]);
    for (const { note } of ledger) expect(note).toMatch(/^each run by itself, without its labels/);
    // Events two volumes apart are read around the peak, and drifts are slower than 128 s.
    const events = studyOf([run(0), run(1)], study.voxels);
    expect(labelPreparation(events)).toMatchObject([
      { settings: { cutoffSeconds: 128 } },
      {},
      { settings: { delays: [3.5, 5, 6.5, 8] } },
    ]);
  });

  it('z-scores are those of the run alone: another run cannot reach it', () => {
    const labels = Array.from({ length: n }, (_, i) => (i < 30 ? 'a' : 'b'));
    const scored = standardizeRuns(study.voxels, labels);
    for (let j = 0; j < v; j++) {
      const values = Array.from({ length: 30 }, (_, t) => scored.data[(30 + t) * v + j]!);
      const mean = values.reduce((a, b) => a + b) / 30;
      expect(mean).toBeCloseTo(0, 5);
      expect(values.reduce((a, b) => a + (b - mean) ** 2, 0) / 30).toBeCloseTo(1, 5);
    }
    const other = data.slice();
    other.fill(7, 0, 30 * v);
    const again = standardizeRuns({ data: other, shape: [n, v] }, labels);
    expect([...again.data.subarray(30 * v)]).toEqual([...scored.data.subarray(30 * v)]);
    // A constant voxel is 0, whatever its value.
    expect([...again.data.subarray(0, 30 * v)].every((value) => value === 0)).toBe(true);
    expect(() => standardizeRuns(study.voxels, ['a'])).toThrow(/expected 60, found 1/);
  });
});

describe('evaluateLabels', () => {
  /** Scores whose largest is the decoded label. */
  const scoresOf = (decoded: readonly number[], k: number): Rows => ({
    data: Float32Array.from({ length: decoded.length * k }, (_, i) =>
      decoded[Math.floor(i / k)] === i % k ? 0.9 : 0.1,
    ),
    shape: [decoded.length, k],
  });
  const names = ['a', 'b', 'c'];
  const truth = [0, 0, 1, 1, 0, 0, 1, 1, 1, 2];
  const decoded = [0, 1, 1, 1, 0, 0, 0, 1, 1, 0];
  const input: LabelInput = {
    names,
    truth,
    scores: scoresOf(decoded, 3),
    runs: [1, 1, 1, 1, 2, 2, 2, 2, 2, 2],
    blocks: [0, 0, 1, 1, 2, 2, 3, 3, 3, 4],
    frequencies: { data: Float32Array.from([0.2, 0.5, 0.3]), shape: [1, 3] },
  };

  it('counts right answers, confusions, recall and precision', async () => {
    const evaluation = await evaluateLabels(input, { permutations: 50 });
    expect(evaluation.accuracy.score).toBeCloseTo(7 / 10);
    expect(evaluation.accuracy.chance).toBeCloseTo(1 / 3);
    expect(evaluation.confusion).toEqual([
      [3, 1, 0],
      [1, 4, 0],
      [1, 0, 0],
    ]);
    expect(evaluation.labels.map(({ recall }) => recall)).toEqual([3 / 4, 4 / 5, 0]);
    expect(evaluation.labels.map(({ precision }) => precision)).toEqual([3 / 5, 4 / 5, undefined]);
    expect(evaluation.balancedAccuracy).toBeCloseTo((3 / 4 + 4 / 5) / 3);
    expect(evaluation.mostFrequent).toBeCloseTo(5 / 10);
    expect(evaluation.perRun).toEqual([
      { run: '1', trials: 4, accuracy: 0.75 },
      { run: '2', trials: 6, accuracy: expect.closeTo(4 / 6) },
    ]);
    expect(evaluation.bootstrap).toMatchObject({ unit: 'run', units: 2 });
  });

  it('averages the scores of a block before it reads the label off', async () => {
    const scores = [
      [0.4, 0.6],
      [0.9, 0.1],
      [0.2, 0.3],
    ];
    const { accuracy, blocks } = await evaluateLabels({
      names: ['a', 'b'],
      truth: [0, 0, 1],
      blocks: [0, 0, 1],
      scores: { data: Float32Array.from(scores.flat()), shape: [3, 2] },
    });
    expect(accuracy.score).toBeCloseTo(2 / 3);
    expect(blocks).toMatchObject({
      count: 2,
      accuracy: { score: 1 },
      confusion: [
        [1, 0],
        [0, 1],
      ],
    });
    const single = await evaluateLabels({ ...input, blocks: undefined });
    expect(single.blocks).toBeUndefined();
  });

  it('rearranges the labels of whole blocks within runs: all of them, where they are few', async () => {
    const { accuracy, permutation } = await evaluateLabels(input, { permutations: 50, keepNull: true });
    // Run 1 has 2 blocks, run 2 has 3: 2! x 3! orders.
    expect(permutation).toMatchObject({ exact: true, permutations: 12, smallestP: 1 / 12 });
    // By hand: right volumes of each block, had it the label of another.
    const runs = [
      { labels: [0, 1], decoded: [decoded.slice(0, 2), decoded.slice(2, 4)] },
      { labels: [0, 1, 2], decoded: [decoded.slice(4, 6), decoded.slice(6, 9), decoded.slice(9)] },
    ];
    const orders = (list: number[]): number[][] =>
      list.length < 2
        ? [list]
        : list.flatMap((x, i) => orders(list.filter((_, j) => j !== i)).map((rest) => [x, ...rest]));
    const hits = runs.map(({ labels, decoded: of }) =>
      orders(labels).map((order) =>
        order.reduce((sum, label, b) => sum + of[b]!.filter((one) => one === label).length, 0),
      ),
    );
    const all = hits[0]!.flatMap((a) => hits[1]!.map((b) => (a + b) / 10)).sort();
    expect([...accuracy.null!].sort()).toEqual(all.map((value) => expect.closeTo(value)));
    expect(accuracy.p).toBeCloseTo(all.filter((value) => value >= 0.7 - 1e-9).length / 12);
    const one = await evaluateLabels({
      ...input,
      runs: undefined,
      blocks: new Array(10).fill(0),
      truth: new Array(10).fill(1),
    });
    expect(one.accuracy.p).toBeNull();
    expect(one.permutation.reason).toMatch(/no run has two blocks/);
  });

  it('is not fooled by volumes that repeat one another: at most 9 % of empty brains at .05', async () => {
    const random = createRandom(11);
    let [blockwise, volumewise] = [0, 0];
    const brains = 200;
    for (let i = 0; i < brains; i++) {
      // 4 runs of 4 blocks of 6 volumes that all say the same, which is nothing.
      const truth = Array.from({ length: 96 }, (_, row) => Math.floor(row / 6) % 4);
      const said = Array.from({ length: 16 }, () => random.integer(4));
      const empty = {
        names: ['a', 'b', 'c', 'd'],
        truth,
        scores: scoresOf(
          Array.from({ length: 96 }, (_, row) => said[Math.floor(row / 6)]!),
          4,
        ),
        runs: truth.map((_, row) => Math.floor(row / 24)),
      };
      const options = { permutations: 99, seed: i };
      const blocks = truth.map((_, row) => Math.floor(row / 6));
      if ((await evaluateLabels({ ...empty, blocks }, options)).accuracy.p! <= 0.05) blockwise++;
      if ((await evaluateLabels(empty, options)).accuracy.p! <= 0.05) volumewise++;
    }
    expect(blockwise / brains).toBeLessThan(0.09);
    expect(blockwise / brains).toBeGreaterThan(0.005);
    // What it is for: as independent trials, nothing would be called something in many cases.
    expect(volumewise / brains).toBeGreaterThan(0.15);
  });

  it('refuses what does not fit, naming it', async () => {
    await expect(evaluateLabels({ ...input, names: ['a', 'b'] })).rejects.toThrow(
      /scores: .*expected 2, found 3/,
    );
    await expect(evaluateLabels({ ...input, truth: [0] })).rejects.toThrow(/truth: .*expected 10, found 1/);
    await expect(evaluateLabels({ ...input, truth: truth.map(() => 7) })).rejects.toThrow(/0 to 2, found 7/);
    await expect(evaluateLabels({ ...input, runs: [1] })).rejects.toThrow(/runs: .*found 1/);
    await expect(evaluateLabels({ ...input, blocks: truth.map(() => 0) })).rejects.toThrow(/block 0/);
    const frequencies = { data: new Float32Array(2), shape: [1, 2] };
    await expect(evaluateLabels({ ...input, frequencies })).rejects.toThrow(/frequencies: /);
  });
});

describe('a decoder of labels', () => {
  const random = createRandom(2);
  const names = ['cat', 'face', 'house'];
  const labels = Array.from({ length: 60 }, (_, i) => i % 3);
  const betas: Rows = {
    data: Float32Array.from(
      { length: 60 * 5 },
      (_, i) => random.normal() + (i % 5 === labels[Math.floor(i / 5)] ? 4 : 0),
    ),
    shape: [60, 5],
  };
  const targets: Rows = {
    data: Float32Array.from({ length: 180 }, (_, i) => +(labels[Math.floor(i / 3)] === i % 3)),
    shape: [60, 3],
  };
  const output = { kind: 'labels', shape: [3], names } as const;

  it('gives the label and its scores, also from a bundle, which asks for readers of version 3', async () => {
    const backend = createReferenceBackend();
    const decoder = await RidgeDecoder.fit({ voxels: betas, targets, output }, { alphas: 10 }, { backend });
    const files = new Map<string, Uint8Array>();
    await saveBundle(decoder, async (path, bytes) => void files.set(path, bytes));
    const folder: Folder = {
      name: 'labels',
      list: async () => [...files.keys()],
      open: async (path) => bytesSource(files.get(path)!, path),
    };
    const { model } = await readBundle(folder);
    expect(model).toMatchObject({ formatVersion: 3, minReader: 3, kind: 'ridge', output });
    const opened = await openBundle(folder, { backend });
    const values = await opened.predict(betas);
    let right = 0;
    for await (const { trial, label, features, image } of opened.reconstruct(betas)) {
      const scores = [...values.subarray(3 * trial, 3 * trial + 3)];
      expect([...label!.scores]).toEqual(scores);
      expect(label).toMatchObject({ index: scores.indexOf(Math.max(...scores)), name: names[label!.index] });
      expect([features, image]).toEqual([undefined, undefined]);
      if (label!.index === labels[trial]) right++;
    }
    expect(right).toBeGreaterThan(55);
    decoder.dispose();
    opened.dispose();
    expect(backend.stats().liveTensors).toBe(0);
    await backend.dispose();
    // Readers of earlier versions would not know the output: a bundle must not claim to be for them.
    const text = new TextDecoder().decode(files.get('model.json'));
    const lowered = text
      .replace('"formatVersion": 3', '"formatVersion": 2')
      .replace('"minReader": 3', '"minReader": 2');
    files.set('model.json', new TextEncoder().encode(lowered));
    await expect(readBundle(folder)).rejects.toMatchObject({ code: 'FORMAT' });
  });

  it('needs as many names as scores, each once', async () => {
    const backend = createReferenceBackend();
    for (const bad of [
      ['cat', 'face'],
      ['cat', 'face', 'cat'],
    ]) {
      const wrong = { ...output, names: bad };
      await expect(
        RidgeDecoder.fit({ voxels: betas, targets, output: wrong }, { alphas: 10 }, { backend }),
      ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', field: 'output.names' });
    }
    await backend.dispose();
  });
});
