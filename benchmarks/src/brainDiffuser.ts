import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CpuBackend } from '@fmri2image/node';
import {
  checkDisk,
  FILES,
  inputBytes,
  type Problem,
  readAll,
  readColumns,
  readWeights,
  targetsOf,
  writeInputs,
} from './brainDiffuserData.ts';
import { ALPHA, checkpointOf, type RunReport, type RunRequest, runToDisk } from './brainDiffuserRun.ts';
import { measureProduct } from './gemmSpeed.ts';
import { commit, deviceOf } from './machine.ts';
import { type Cell, markdownTable } from './markdown.ts';
import { startRidgePeer } from './peers.ts';
import { checkRidge } from './ridgeCheck.ts';

export const KEEPS = ['predictions', 'dual'] as const;
type Keep = (typeof KEEPS)[number];

/** Fits of the published program: 77 of CLIP-text, 257 of CLIP-vision. */
const PUBLISHED_FITS = { vision: 257, all: 334 } as const;
/** Share of the targets that are on the disk when a run is killed. */
const KILLED_AT = 0.5;
/** Targets whose numbers are checked. */
const CHECKED = 3;

/** The published regression to CLIP-vision, simulated at its size or a scale of it, from disk to disk. */
export interface BrainDiffuserRow {
  readonly op: 'brain-diffuser';
  readonly keep: Keep;
  readonly values: 'simulated';
  readonly shape: Problem;
  readonly alpha: number;
  readonly threads: number;
  readonly seconds: number;
  /** Of them, in which nothing was computed because files were read or written. */
  readonly fileSeconds: number;
  readonly gflop: number;
  /** Of a square product before and after, in the parent process. */
  readonly gemmGflops: number;
  /** Executed operations over the seconds without files, over the speed of the product. */
  readonly shareOfGemmPercent: number;
  readonly memory: number;
  readonly peakBytes: number;
  readonly precision: string;
  /** Killed in the middle, resumed with other memory and threads: the same bytes? Undefined where not tried. */
  readonly sameBytes: boolean | undefined;
  readonly resumed: { readonly from: number; readonly memory: number; readonly threads: number } | undefined;
  readonly errorOverTolerance: number;
  readonly passed: boolean;
  readonly published: Published | undefined;
  readonly device: string;
  readonly commit: string;
  readonly date: string;
  readonly seed: number;
}

/** One token of the published loop, fitted by scikit-learn at this size and in this run. */
export interface Published {
  readonly version: string;
  readonly dtype: string;
  readonly secondsOfOneFit: number;
  /** One fit times the number of them: extrapolated, because each does the same. */
  readonly extrapolatedVisionSeconds: number;
  readonly extrapolatedAllSeconds: number;
}

export interface BrainDiffuserOptions {
  readonly problem: Problem;
  readonly keeps: readonly Keep[];
  readonly threads: number;
  readonly memory: number;
  readonly seed: number;
  /** Kill a second run and resume it? */
  readonly kill: boolean;
  readonly peers: boolean;
  readonly sources: string;
  /** Where the scratch folder is made. */
  readonly scratch: string;
  readonly note: (line: string) => void;
}

export async function measureBrainDiffuser(options: BrainDiffuserOptions): Promise<BrainDiffuserRow[]> {
  const { problem, keeps, threads, seed, note, scratch } = options;
  const results = keeps.map(
    (keep) => 4 * (keep === 'dual' ? problem.train : problem.test) * targetsOf(problem),
  );
  checkDisk(
    scratch,
    inputBytes(problem) + results.reduce((sum, bytes) => sum + bytes * (options.kill ? 2 : 1), 1e9),
  );
  const folder = mkdtempSync(join(scratch, 'f2i-brain-diffuser-'));
  try {
    note(
      `brain-diffuser: writing ${(inputBytes(problem) / 1e9).toFixed(1)} GB of simulated inputs to ${folder}`,
    );
    const started = performance.now();
    await writeInputs(folder, problem, seed);
    note(`brain-diffuser: written in ${((performance.now() - started) / 1e3).toFixed(0)} s`);
    const runs: { keep: Keep; report: RunReport; speed: number; resumed: Resumed | undefined }[] = [];
    for (const keep of keeps) {
      const request: RunRequest = {
        folder,
        problem,
        keep,
        out: `${keep}.npy`,
        memory: options.memory,
        threads,
      };
      const before = await gemmSpeed(threads, seed);
      const report = await finished(start(request));
      const speed = (before + (await gemmSpeed(threads, seed))) / 2;
      note(
        `brain-diffuser ${keep}: ${report.seconds.toFixed(1)} s, peak ${(report.peakBytes / 1e9).toFixed(2)} GB`,
      );
      runs.push({
        keep,
        report,
        speed,
        resumed: options.kill ? await killAndResume(request, note) : undefined,
      });
    }
    const published = options.peers ? await fitOneToken(options, folder) : undefined;
    note('brain-diffuser: checking some targets in float64');
    const error = await check(folder, options);
    return runs.map(({ keep, report, speed, resumed }) => {
      const busy = report.seconds - report.fileSeconds;
      return {
        op: 'brain-diffuser',
        keep,
        values: 'simulated',
        shape: problem,
        alpha: ALPHA,
        threads,
        seconds: report.seconds,
        fileSeconds: report.fileSeconds,
        gflop: report.flops / 1e9,
        gemmGflops: speed,
        shareOfGemmPercent: (100 * report.flops) / 1e9 / busy / speed,
        memory: options.memory,
        peakBytes: report.peakBytes,
        precision: report.precision,
        sameBytes: resumed?.same,
        resumed: resumed && { from: resumed.from, memory: resumed.memory, threads: resumed.threads },
        errorOverTolerance: error,
        passed: error <= 1 && resumed?.same !== false,
        published,
        device: device(threads),
        commit: commit(),
        date: new Date().toISOString(),
        seed,
      };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a child process of the benchmark is asked for. */
export async function serveRun(text: string): Promise<void> {
  process.stdout.write(JSON.stringify(await runToDisk(JSON.parse(text) as RunRequest)));
}

function start(request: RunRequest) {
  const args = [...process.execArgv, process.argv[1]!, 'brain-diffuser', '--child', JSON.stringify(request)];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** The report of a child that ends by itself. */
async function finished(child: ReturnType<typeof start>): Promise<RunReport> {
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  const status = await new Promise((resolve) => child.on('close', resolve));
  if (status !== 0) throw new Error('a process of the benchmark failed');
  return JSON.parse(text) as RunReport;
}

interface Resumed {
  readonly same: boolean;
  readonly from: number;
  readonly memory: number;
  readonly threads: number;
}

/** Kills a second run when half of its targets are written, goes on under another ceiling, and compares the bytes. */
async function killAndResume(request: RunRequest, note: (line: string) => void): Promise<Resumed> {
  const { folder, keep, problem, out } = request;
  const again = `${keep}-resumed.npy`;
  const killed = start({ ...request, out: again });
  const ended = new Promise((resolve) => killed.on('close', resolve));
  let running = true;
  ended.then(() => {
    running = false;
  });
  while (running && checkpointOf(folder, again) < KILLED_AT * targetsOf(problem)) await sleep(20);
  killed.kill('SIGKILL');
  await ended;
  const threads = request.threads === 1 ? 2 : 1;
  const memory = 0.85 * request.memory;
  const { from, seconds } = await finished(start({ ...request, out: again, memory, threads }));
  const same = sameFiles(join(folder, out), join(folder, again));
  note(
    `brain-diffuser ${keep}: killed, resumed at target ${from} on ${threads} thread(s) in ${seconds.toFixed(1)} s: ${same ? 'the same bytes' : 'OTHER BYTES'}`,
  );
  rmSync(join(folder, again));
  return { same, from, memory, threads };
}

function sameFiles(one: string, other: string): boolean {
  const files = [one, other].map((path) => openSync(path, 'r'));
  const pieces = [Buffer.alloc(2 ** 23), Buffer.alloc(2 ** 23)] as const;
  try {
    for (;;) {
      const [a, b] = pieces.map((piece, i) => readSync(files[i]!, piece, 0, piece.length, null));
      if (a !== b || !pieces[0].subarray(0, a).equals(pieces[1].subarray(0, b))) return false;
      if (a === 0) return true;
    }
  } finally {
    for (const file of files) closeSync(file);
  }
}

async function gemmSpeed(threads: number, seed: number): Promise<number> {
  const backend = new CpuBackend({ threads });
  const gflops = await measureProduct(backend, seed, 5);
  await backend.dispose();
  return gflops;
}

function device(threads: number): string {
  const backend = new CpuBackend({ threads });
  const text = deviceOf(backend);
  void backend.dispose();
  return text;
}

/** One token as the published program fits it: scikit-learn's Ridge on all training rows, in float64. */
async function fitOneToken(
  { threads, problem, sources, note }: BrainDiffuserOptions,
  folder: string,
): Promise<Published | undefined> {
  const peer = await startRidgePeer(sources, threads);
  if (!peer) return undefined;
  const dtype = 'float64';
  const files = [FILES.train, FILES.targets, FILES.test].map((name) => join(folder, name));
  const seconds = Number(
    await peer.ask(`token ${JSON.stringify({ files, width: problem.width, alpha: ALPHA, dtype })}`),
  );
  peer.stop();
  if (Number.isNaN(seconds)) return undefined;
  note(`brain-diffuser: one token by scikit-learn, ${dtype}: ${seconds.toFixed(1)} s`);
  return {
    version: peer.version,
    dtype,
    secondsOfOneFit: seconds,
    extrapolatedVisionSeconds: PUBLISHED_FITS.vision * seconds,
    extrapolatedAllSeconds: PUBLISHED_FITS.all * seconds,
  };
}

/** Some targets of what was written, against sums in float64 that share nothing with the engine. */
export async function check(
  folder: string,
  { problem, keeps }: Pick<BrainDiffuserOptions, 'problem' | 'keeps'>,
): Promise<number> {
  const { train, test, voxels } = problem;
  const count = targetsOf(problem);
  const columns = Array.from({ length: CHECKED }, (_, i) => Math.floor(((i + 0.7) * count) / CHECKED));
  const pick = (file: string) => readColumns(join(folder, file), columns);
  const x = new Float32Array((train + test) * voxels);
  x.set(await readAll(join(folder, FILES.train)));
  x.set(await readAll(join(folder, FILES.test)), train * voxels);
  const data = {
    size: { train, test, voxels, tokens: 1, width: CHECKED },
    targets: CHECKED,
    x,
    y: await pick(FILES.targets),
  };
  return checkRidge(data, {
    predictions: keeps.includes('predictions') ? await pick('predictions.npy') : undefined,
    dual: keeps.includes('dual') ? await readWeights(join(folder, 'dual.npy'), columns, train) : undefined,
    alphas: new Float64Array(CHECKED).fill(ALPHA),
  });
}

export function brainDiffuserTable(rows: readonly BrainDiffuserRow[]): string {
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(2);
  const lines = rows.map((row): Cell[] => {
    return [
      row.keep,
      row.threads,
      row.passed ? row.seconds.toFixed(1) : 'wrong result',
      row.fileSeconds.toFixed(1),
      row.gflop.toFixed(0),
      row.gemmGflops.toFixed(0),
      row.shareOfGemmPercent.toFixed(0),
      gigabytes(row.peakBytes),
      gigabytes(row.memory),
      row.precision,
      row.resumed ? `${row.sameBytes ? 'same bytes' : 'OTHER BYTES'} (from ${row.resumed.from})` : '',
      row.errorOverTolerance.toFixed(3),
    ];
  });
  const { shape, published } = rows[0]!;
  return [
    `Brain-Diffuser's regression to CLIP-vision, simulated: ${shape.train} x ${shape.voxels} -> ${shape.tokens} x ${shape.width}, ${shape.test} test rows, from disk to disk.`,
    '',
    markdownTable(
      [
        'result',
        'threads',
        's',
        'files s',
        'GFLOP',
        'gemm GFLOP/s',
        'share of gemm %',
        'peak RSS GB',
        'ceiling GB',
        'precision',
        'killed and resumed',
        'error / tolerance',
      ],
      lines,
    ),
    '',
    published
      ? `Published loop: one of its fits took ${published.secondsOfOneFit.toFixed(1)} s here (${published.dtype}, ${published.version}); extrapolated to the 257 of this problem ${(published.extrapolatedVisionSeconds / 3600).toFixed(2)} h, to all 334 ${(published.extrapolatedAllSeconds / 3600).toFixed(2)} h.`
      : 'Published loop: not measured.',
    'files: seconds in which nothing was computed because files were read or written; share: GFLOP over the other seconds, over',
    'the speed of a square product before and after. error / tolerance: some targets in float64, at most 1 when right.',
  ].join('\n');
}
