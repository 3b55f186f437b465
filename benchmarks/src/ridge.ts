import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import {
  type AlphaChoice,
  type Backend,
  bytesSource,
  kFolds,
  memorySink,
  openStreamedRidge,
  ownedMatrix,
  readNpy,
  type Values,
} from '@fmri2image/core';
import { CpuBackend } from '@fmri2image/node';
import { squareProduct } from './gemmSpeed.ts';
import { commit, deviceOf } from './machine.ts';
import { type Cell, markdownTable } from './markdown.ts';
import { type Peer, startRidgePeer } from './peers.ts';
import { checkRidge } from './ridgeCheck.ts';
import { designOf, type RidgeData, type RidgeSize, simulateRidge, withFiles } from './ridgeData.ts';
import { type Timing, timing } from './statistics.ts';

/** What is measured: each has its own peers. */
export const RIDGE_CASES = ['dual', 'predictions', 'cross-validated'] as const;
export type RidgeCase = (typeof RIDGE_CASES)[number];

/** Brain-Diffuser's penalty of CLIP-vision. */
const ALPHA = 6e4;
const GRID = [1e2, 1e3, 3e3, 1e4, 3e4, 6e4, 1e5, 3e5, 1e6, 1e7];
const FOLDS = 5;

const ABOUT: Readonly<Record<RidgeCase, string>> = {
  dual: 'fit to stored dual coefficients, then predictions of the test rows',
  predictions: 'predictions of the test rows alone',
  'cross-validated': `${GRID.length} alphas, ${FOLDS} folds, an alpha for each target; dual coefficients, then predictions`,
};

const PEERS: Readonly<Record<RidgeCase, readonly string[]>> = {
  dual: ['sklearn-per-token', 'sklearn-per-token-f64', 'numpy-dual', 'cholesky-dual'],
  predictions: ['sklearn-per-token', 'sklearn-per-token-f64', 'hat-matrix', 'hat-matrix-cholesky'],
  'cross-validated': ['himalaya-ridge-cv', 'himalaya-kernel-ridge-cv'],
};

/** One implementation of one case. */
export interface RidgeRow {
  readonly op: 'ridge';
  readonly case: RidgeCase;
  readonly about: string;
  readonly shape: RidgeSize;
  /** Of the data and the arithmetic; the published scripts are in float64. */
  readonly dtype: 'f32' | 'f64';
  readonly alpha: number | readonly number[];
  readonly impl: string;
  readonly version: string;
  readonly threads: number;
  /** Data in memory on both sides, results in memory; after the others' turns, so that pages of memory may be gone. */
  readonly wall: Timing;
  /** The same at once once more. */
  readonly warm?: Timing | undefined;
  /** Ours: executed operations, and their share of the speed of a square product, measured in the same rounds. */
  readonly gflop?: number | undefined;
  readonly gflops?: number | undefined;
  readonly gemmGflops?: number | undefined;
  readonly shareOfGemmPercent?: number | undefined;
  readonly warmShareOfGemmPercent?: number | undefined;
  /** Ours: median of each peer over our median. */
  readonly ratios?: Readonly<Record<string, number>> | undefined;
  readonly warmRatios?: Readonly<Record<string, number>> | undefined;
  /** Ours: checked in float64 in this run; at most 1 when right. */
  readonly errorOverTolerance?: number | undefined;
  readonly passed?: boolean | undefined;
  /** Largest difference of a peer's predictions from ours, over the spread of ours; or targets that chose another alpha. */
  readonly differenceFromOurs?: number | undefined;
  readonly differentChoices?: number | undefined;
  readonly device: string;
  readonly commit: string;
  readonly date: string;
  readonly seed: number;
}

export interface RidgeBenchOptions {
  readonly cases: readonly RidgeCase[];
  readonly size: RidgeSize;
  readonly threads: number;
  readonly samples: number;
  readonly seed: number;
  /** Ask Python for its peers? */
  readonly peers: boolean;
  /** Folder of the peers' sources. */
  readonly sources: string;
  readonly version: string;
  readonly note: (line: string) => void;
}

/** The published sizes of the regression, shortened to 32 of 257 tokens. */
export const RIDGE_SIZE: RidgeSize = { train: 2000, test: 400, voxels: 4000, tokens: 32, width: 768 };

/** Seconds of the turns of one implementation: after the others, and at once once more. */
interface Turns {
  readonly cold: number[];
  readonly warm: number[];
}

/** What takes longer is not repeated: whether its memory was there is a small part of it. */
const WARM_SECONDS = 4;

interface Result {
  readonly dual?: Values;
  readonly predictions: Values;
  readonly alphas: Float64Array;
  readonly flops: number;
}

/** Ours, through the public interface: voxels and targets in memory, results in memory. */
async function ours(kind: RidgeCase, data: RidgeData, backend: Backend): Promise<Result> {
  const { size, targets } = data;
  // Read where they lie, as the peers do.
  const voxels = ownedMatrix({ data: data.x, shape: [size.train + size.test, size.voxels] }, 'voxels');
  const source = ownedMatrix({ data: data.y, shape: [size.train, targets] }, 'targets');
  const choice: AlphaChoice = {
    grid: GRID,
    folds: kFolds(size.train, { folds: FOLDS }),
    score: 'negativeSquaredError',
    perTarget: true,
  };
  const chosen = kind === 'cross-validated';
  const ridge = await openStreamedRidge(designOf(data, voxels), {
    backend,
    alpha: chosen ? choice : ALPHA,
    intercept: true,
    form: 'dual',
    precision: 'f32',
  });
  try {
    const features = { source, train: Int32Array.from({ length: size.train }, (_, i) => i) };
    const alphas = chosen ? (await ridge.choose(features)).alphas : new Float64Array(targets).fill(ALPHA);
    const weights = kind === 'predictions' ? undefined : memorySink(size.train, targets);
    const predictions = memorySink(size.test, targets);
    if (weights) await ridge.dual(features, weights, { alphas, predictions });
    else await ridge.predict(features, predictions, { alphas });
    return {
      ...(weights && { dual: weights.values }),
      predictions: predictions.values,
      alphas,
      flops: ridge.work.flops,
    };
  } finally {
    ridge.dispose();
    data.x = voxels.take() as Float32Array;
    data.y = source.take() as Float32Array;
  }
}

/**
 * Ours, the published loop and its better forms, in turns; results are checked in float64, and beside the peers', in the
 * same run.
 */
export async function measureRidge(options: RidgeBenchOptions): Promise<RidgeRow[]> {
  const { threads, seed, size, note, sources } = options;
  note(
    `ridge: simulating ${size.train} + ${size.test} rows, ${size.voxels} voxels, ${size.tokens} x ${size.width} targets`,
  );
  const data = simulateRidge(size, seed);
  const backend = new CpuBackend({ threads });
  const peer = options.peers ? await startRidgePeer(sources, threads) : undefined;
  if (options.peers && !peer)
    note('not on this machine: numpy or scikit-learn (benchmarks/install-peers.sh)');
  const rows: RidgeRow[] = [];
  try {
    const measure = async () => {
      for (const kind of options.cases) rows.push(...(await measureCase(kind, data, backend, peer, options)));
    };
    if (peer) {
      await withFiles(data, async (folder) => {
        if ((await peer.ask(`prepare ${folder} ${size.tokens}`)) !== 'ok')
          throw new Error('the peer cannot load its data');
      });
    }
    await measure();
  } finally {
    peer?.stop();
    await backend.dispose();
  }
  return rows;
}

async function measureCase(
  kind: RidgeCase,
  data: RidgeData,
  backend: Backend,
  peer: Peer | undefined,
  options: RidgeBenchOptions,
): Promise<RidgeRow[]> {
  const { samples, threads, note } = options;
  const settings = JSON.stringify(
    kind === 'cross-validated' ? { alphas: GRID, folds: FOLDS } : { alpha: ALPHA },
  );
  const product = await squareProduct(backend, options.seed);
  let result: Result | undefined;
  const times = new Map<string, Turns>([
    ['gemm', { cold: [], warm: [] }],
    ['ours', { cold: [], warm: [] }],
  ]);
  for (const name of peer ? PEERS[kind] : []) times.set(name, { cold: [], warm: [] });
  /** Seconds of one turn; NaN where the peer cannot. */
  const run = async (name: string): Promise<number> => {
    if (name === 'gemm') return product.run();
    if (name !== 'ours') return Number(await peer!.ask(`run ${name} ${settings}`));
    const start = performance.now();
    result = await ours(kind, data, backend);
    return (performance.now() - start) / 1e3;
  };
  await run('gemm');
  await run('ours'); // pages of the process, compiled functions; peers have theirs from loading their data
  for (let round = 0; round < samples; round++) {
    // Forwards and backwards: nobody always follows the same one, whose memory has just become free.
    const names = round % 2 === 0 ? [...times.keys()] : [...times.keys()].reverse();
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length]!;
      const seconds = await run(name);
      if (Number.isNaN(seconds)) {
        note(`ridge ${kind}: no ${name} here${name.startsWith('himalaya') ? ' (F2I_PEERS)' : ''}`);
        times.delete(name);
        continue;
      }
      const { cold, warm } = times.get(name)!;
      cold.push(seconds);
      if (seconds <= WARM_SECONDS) warm.push(await run(name));
    }
    note(`ridge ${kind}: round ${round + 1} of ${samples}`);
  }
  product.dispose();

  const found = result!;
  const error = checkRidge(data, found);
  const of = (name: string, kind: keyof Turns) => timing(times.get(name)![kind]);
  const gflop = found.flops / 1e9;
  const gemmGflops = product.flops / of('gemm', 'warm').p50 / 1e9;
  const peers = [...times.keys()].filter((name) => name !== 'ours' && name !== 'gemm');
  const isWarm = (name: string) => times.get(name)!.warm.length > 0;
  const warm = (name: string) => (isWarm(name) ? of(name, 'warm') : undefined);
  const ratios = (kind: keyof Turns, names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, of(name, kind).p50 / of('ours', kind).p50]));
  const common = {
    op: 'ridge',
    case: kind,
    about: ABOUT[kind],
    shape: data.size,
    dtype: 'f32',
    alpha: kind === 'cross-validated' ? GRID : ALPHA,
    threads,
    device: deviceOf(backend),
    commit: commit(),
    date: new Date().toISOString(),
    seed: options.seed,
  } as const;
  const rows: RidgeRow[] = [
    {
      ...common,
      impl: 'ours',
      version: options.version,
      wall: of('ours', 'cold'),
      warm: warm('ours'),
      gflop,
      gflops: gflop / of('ours', 'cold').p50,
      gemmGflops,
      shareOfGemmPercent: (100 * gflop) / of('ours', 'cold').p50 / gemmGflops,
      warmShareOfGemmPercent: isWarm('ours')
        ? (100 * gflop) / of('ours', 'warm').p50 / gemmGflops
        : undefined,
      ratios: ratios('cold', peers),
      warmRatios: isWarm('ours') ? ratios('warm', peers.filter(isWarm)) : undefined,
      errorOverTolerance: error,
      passed: error <= 1,
    },
  ];
  for (const name of peers) {
    rows.push({
      ...common,
      dtype: name.endsWith('-f64') ? 'f64' : 'f32',
      impl: name,
      version: peer!.version,
      wall: of(name, 'cold'),
      warm: warm(name),
      ...(await compare(kind, name, peer!, found)),
    });
  }
  return rows;
}

/** What the peer found beside what we found. */
async function compare(kind: RidgeCase, name: string, peer: Peer, found: Result) {
  const folder = mkdtempSync(join(os.tmpdir(), 'f2i-ridge-'));
  try {
    const file = join(folder, 'result.npy');
    if ((await peer.ask(`save ${name} ${file}`)) !== 'ok') throw new Error(`${name} cannot save its result`);
    const { data } = await readNpy(bytesSource(readFileSync(file), file));
    const theirs = Float64Array.from(data as Float32Array);
    if (kind === 'cross-validated') {
      // The peer's alphas went through logarithms in float32.
      const same = (a: number, b: number) => Math.abs(a / b - 1) < 1e-4;
      const different = found.alphas.reduce(
        (count, alpha, t) => count + (same(alpha, theirs[t]!) ? 0 : 1),
        0,
      );
      return { differentChoices: different };
    }
    const { predictions } = found;
    let difference = 0;
    let squares = 0;
    for (let i = 0; i < predictions.length; i++) {
      difference = Math.max(difference, Math.abs(predictions[i]! - theirs[i]!));
      squares += predictions[i]! ** 2;
    }
    return { differenceFromOurs: difference / Math.sqrt(squares / predictions.length) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function ridgeTable(rows: readonly RidgeRow[]): string {
  const text = (value: number | undefined, digits: number) => value?.toFixed(digits) ?? '';
  const both = (cold: number | undefined, warm: number | undefined, digits: number) =>
    [cold, warm].flatMap((value) => (value === undefined ? [] : [value.toFixed(digits)])).join(' / ');
  const lines = rows.map((row): Cell[] => {
    return [
      row.case,
      row.impl,
      row.threads,
      row.passed === false ? 'wrong result' : row.wall.p50.toFixed(3),
      text(row.warm?.p50, 3),
      row.wall.noisePercent.toFixed(0),
      text(row.gflop, 0),
      text(row.gflops, 0),
      text(row.gemmGflops, 0),
      both(row.shareOfGemmPercent, row.warmShareOfGemmPercent, 0),
      Object.entries(row.ratios ?? {})
        .map(([name, ratio]) => `${both(ratio, row.warmRatios?.[name], 2)} ${name}`)
        .join(', '),
      text(row.errorOverTolerance, 3),
      row.differentChoices === undefined
        ? (row.differenceFromOurs?.toExponential(1) ?? '')
        : `${row.differentChoices} alphas`,
    ];
  });
  const { shape } = rows[0]!;
  return [
    `Ridge on simulated data, float32 (but for peers in f64, as published), alpha ${ALPHA}: ${shape.train} training rows, ${shape.voxels} voxels, ${shape.tokens} x ${shape.width} targets, ${shape.test} test rows.`,
    '',
    markdownTable(
      [
        'case',
        'implementation',
        'threads',
        'cold p50 s',
        'warm p50 s',
        'noise %',
        'GFLOP',
        'GFLOP/s',
        'gemm GFLOP/s',
        'share of gemm %, cold / warm',
        'peers over ours, cold / warm',
        'error / tolerance',
        'difference from ours',
      ],
      lines,
    ),
    '',
    ...RIDGE_CASES.map((kind) => `${kind}: ${ABOUT[kind]}.`),
    `cold: after the turns of the others. warm: at once once more, but for what takes more than ${WARM_SECONDS} s; ratios are of like to like.`,
    'GFLOP: executed by ours. gemm: a square product of ours in the same rounds. error / tolerance: some targets in float64 by',
    'conjugate gradients in this run, at most 1 when right. difference: largest, over the root mean square of our predictions.',
  ].join('\n');
}
