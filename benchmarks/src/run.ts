import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createReferenceBackend } from '@fmri2image/core';
import { CpuBackend } from '@fmri2image/node';
import {
  type BrainDiffuserRow,
  brainDiffuserTable,
  KEEPS,
  measureBrainDiffuser,
  serveRun,
} from './brainDiffuser.ts';
import { PUBLISHED } from './brainDiffuserData.ts';
import { measureLimits } from './limits.ts';
import { commit, deviceOf } from './machine.ts';
import { measureShape } from './measure.ts';
import { type ModelRow, measureMindEye2, modelTable, STAGES, serveChild } from './mindeye2.ts';
import { measureOverhead, type Overhead } from './overhead.ts';
import { startPeers } from './peers.ts';
import { measurePrior, PRIOR_WEIGHTS, type PriorRow, priorTable } from './prior.ts';
import { measureRidge, RIDGE_CASES, RIDGE_SIZE, type RidgeRow, ridgeTable } from './ridge.ts';
import { markdown, type Row } from './row.ts';
import { label, readShapes } from './shape.ts';
import { openWebGpu } from './webgpu.ts';

const USAGE = `npm run bench -- [OP...] [options]

Measures our ops and the peers that this machine has (OpenBLAS over its core types, BLIS, numpy, PyTorch) in one interleaved
run, checks our results in it, and sets both beside the measured limits of the machine.

  --threads LIST   numbers of threads, separated by commas (default: 1 and all cores)
  --only TEXT      shapes whose extents contain the text, such as "n=4096"
  --samples N      samples of each implementation (default 10)
  --seconds S      stop sampling a shape after so many seconds, but not before 5 samples (default 20)
  --seed N         of the random operands (default 1)
  --isa NAME       portable | avx2 | avx512 (default: the best)
  --no-peers       ours alone
  --json           rows as JSON, one a line, instead of a table
  --record FILE    append the rows to a file of JSON lines as well

npm run bench -- mindeye2 [options]

Measures MindEye2 at its published size with random weights (4.5 GB in a temporary folder, removed afterwards): loading, and
one trial's three repeats through each stage, beside the floor that the machine sets. --threads, --samples, --json and
--record as above, and:

  --stages LIST    of tokens, blurry, prior (default: all)
  --precision P    bf16 | f16 | f32 (default: bf16, as stored)
  --bundle PATH    a bundle that is there already

npm run bench -- prior [options]

Measures one evaluation of MindEye2's prior at its published size with random weights, bf16 and f32, beside the whole
evaluation in PyTorch, and each of its ops by itself. --threads N, --samples, --precision, --no-peers, --json and --record as above.

npm run bench -- ridge [options]

Measures ridge regression of many targets through the public interface, data and results in memory, beside scikit-learn token by
token (as Brain-Diffuser fits it), LAPACK's Cholesky factor, numpy's hat matrix, and himalaya (a folder on F2I_PEERS that holds
it). Some targets are checked in float64 in the run. --threads N, --samples (default 3), --seed, --no-peers, --json and --record
as above, and:

  --cases LIST     of dual, predictions, cross-validated (default: all)
  --scale S        all sizes times S (default 1)

npm run bench -- brain-diffuser [options]

Measures Brain-Diffuser's regression to CLIP-vision at its published size, simulated (4 GB of inputs, and up to 16 GB of results,
in a temporary folder, removed afterwards), from disk to disk in processes whose resident memory is measured; kills a second run
of each in the middle and resumes it under another ceiling and number of threads. --threads N, --seed, --scale, --no-peers, --json
and --record as above, and:

  --keep LIST      of predictions, dual (default: both)
  --memory GB      ceiling of resident memory (default 2.9)
  --no-kill        without killing and resuming
  --scratch FOLDER for the temporary folder (default: the system's)

An NVIDIA GPU is measured by bash native/gpu.sh (benchmarks/README.md), three kernels of it by npx fmri2image bench --device cuda.`;

const LEGEND = `cold: caches flushed before the call; warm: right after it. noise: interquartile range over the median. ratio: the fastest
peer's cold median over ours, above 1 we are faster. roofline: share of what the machine's measured limits allow.
error / tolerance: sampled entries against float64 in this run, at most 1 when right.`;

const here = join(dirname(fileURLToPath(import.meta.url)), '..');
const cache = join(here, '..', '.f2i', 'bench');

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    allowNegative: true,
    options: {
      threads: { type: 'string' },
      only: { type: 'string', default: '' },
      samples: { type: 'string' },
      seconds: { type: 'string', default: '20' },
      seed: { type: 'string', default: '1' },
      isa: { type: 'string', default: 'auto' },
      peers: { type: 'boolean', default: true },
      json: { type: 'boolean', default: false },
      record: { type: 'string' },
      stages: { type: 'string', default: STAGES.join(',') },
      precision: { type: 'string' },
      bundle: { type: 'string' },
      child: { type: 'string' },
      cases: { type: 'string', default: RIDGE_CASES.join(',') },
      scale: { type: 'string', default: '1' },
      keep: { type: 'string', default: KEEPS.join(',') },
      memory: { type: 'string', default: '2.9' },
      kill: { type: 'boolean', default: true },
      scratch: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.child !== undefined && positionals[0] === 'brain-diffuser') {
    await serveRun(values.child);
    return 0;
  }
  if (values.child !== undefined) {
    await serveChild(values.child);
    return 0;
  }
  if (positionals[0] === 'mindeye2') {
    const rows: ModelRow[] = [];
    for (const threads of values.threads?.split(',').map(Number) ?? [os.availableParallelism()]) {
      const { precision, bundle } = values;
      const stages = STAGES.filter((stage) => values.stages.split(',').includes(stage));
      const limits = measureLimits(join(here, 'peers'), cache, threads);
      note(`limits: ${JSON.stringify(limits)}`);
      const samples = Math.min(Number(values.samples ?? 5), 5);
      rows.push(...measureMindEye2({ stages, precision, bundle, threads, samples, limits, note }));
    }
    if (values.record) record(values.record, rows);
    if (values.json) for (const row of rows) console.log(JSON.stringify(row));
    else console.log(modelTable(rows));
    return 0;
  }
  if (positionals[0] === 'prior') {
    const threads = Number(values.threads ?? os.availableParallelism());
    const limits = measureLimits(join(here, 'peers'), cache, threads);
    const { peers } = values.peers ? await startPeers(join(here, 'peers'), cache, threads) : { peers: [] };
    const peer = peers.find(({ name }) => name === 'torch');
    const samples = Math.min(Number(values.samples ?? 5), 5);
    const weights = PRIOR_WEIGHTS.filter((each) => each === (values.precision ?? each));
    const rows = await measurePrior({ weights, threads, samples, limits, peer, note });
    for (const each of peers) each.stop();
    if (values.record) record(values.record, rows);
    if (values.json) for (const row of rows) console.log(JSON.stringify(row));
    else console.log(priorTable(rows));
    return 0;
  }
  if (positionals[0] === 'brain-diffuser') {
    const rows = await measureBrainDiffuser({
      problem: scaled(PUBLISHED, Number(values.scale)),
      keeps: KEEPS.filter((each) => values.keep.split(',').includes(each)),
      threads: Number(values.threads ?? os.availableParallelism()),
      memory: Number(values.memory) * 1e9,
      seed: Number(values.seed),
      kill: values.kill,
      peers: values.peers,
      sources: join(here, 'peers'),
      scratch: values.scratch ?? os.tmpdir(),
      note,
    });
    if (values.record) record(values.record, rows);
    if (values.json) for (const row of rows) console.log(JSON.stringify(row));
    else console.log(brainDiffuserTable(rows));
    return rows.some((row) => !row.passed) ? 1 : 0;
  }
  if (positionals[0] === 'ridge') {
    const rows = await measureRidge({
      cases: RIDGE_CASES.filter((each) => values.cases.split(',').includes(each)),
      size: scaled(RIDGE_SIZE, Number(values.scale)),
      threads: Number(values.threads ?? os.availableParallelism()),
      samples: Number(values.samples ?? 3),
      seed: Number(values.seed),
      peers: values.peers,
      sources: join(here, 'peers'),
      version: version(),
      note,
    });
    if (values.record) record(values.record, rows);
    if (values.json) for (const row of rows) console.log(JSON.stringify(row));
    else console.log(ridgeTable(rows));
    return rows.some((row) => row.passed === false) ? 1 : 0;
  }
  const shapes = readShapes(join(here, 'shapes'), positionals).filter((shape) =>
    label(shape).includes(values.only),
  );
  if (shapes.length === 0) throw new Error(`no shape has "${values.only}" in its extents`);
  const cores = os.availableParallelism();
  const threadCounts = values.threads?.split(',').map(Number) ?? (cores > 1 ? [1, cores] : [1]);
  const rows: Row[] = [];
  for (const threads of threadCounts) {
    const backend = new CpuBackend({ threads, isa: values.isa as 'auto' });
    const { peers, absent } = values.peers
      ? await startPeers(join(here, 'peers'), cache, threads)
      : { peers: [], absent: [] };
    if (absent.length > 0) note(`not on this machine: ${absent.join(', ')} (benchmarks/install-peers.sh)`);
    const limits = measureLimits(join(here, 'peers'), cache, threads);
    note(`${backend.info.description}; limits: ${JSON.stringify(limits)}`);
    const session = {
      backend,
      peers,
      limits,
      threads,
      seed: Number(values.seed),
      samples: Number(values.samples ?? 10),
      seconds: Number(values.seconds),
      device: deviceOf(backend),
      commit: commit(),
      version: version(),
      note,
      progress: (line: string) => process.stderr.isTTY && process.stderr.write(`\r\x1b[K${line}`),
    };
    for (const shape of shapes) {
      const measured = await measureShape(shape, session);
      rows.push(...measured);
      if (values.json) for (const row of measured) console.log(JSON.stringify(row));
      if (values.record) record(values.record, measured);
    }
    for (const peer of peers) peer.stop();
    await backend.dispose();
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const overheads = await measureOverheads();
  if (values.json)
    for (const overhead of overheads) console.log(JSON.stringify({ op: 'enqueue', ...overhead }));
  else console.log(`${markdown(rows)}\n\n${overheadTable(overheads)}\n\n${LEGEND}`);
  return rows.some((row) => row.passed === false) ? 1 : 0;
}

async function measureOverheads(): Promise<Overhead[]> {
  const overheads: Overhead[] = [];
  const backends = [new CpuBackend(), createReferenceBackend(), await openWebGpu()];
  for (const backend of backends) {
    if (typeof backend === 'string') {
      note(`enqueue overhead on WebGPU: ${backend}`);
      continue;
    }
    overheads.push(await measureOverhead(backend));
    await backend.dispose();
  }
  return overheads;
}

function overheadTable(overheads: readonly Overhead[]): string {
  const lines = overheads.map(
    (o) =>
      `| ${o.backend} | ${o.description} | ${o.enqueueMicroseconds.toFixed(1)} | ${o.perOpMicroseconds.toFixed(1)} |`,
  );
  return ['| backend | device | enqueue us an op | whole us an op |', '|---|---|---|---|', ...lines].join(
    '\n',
  );
}

function record(
  file: string,
  rows: readonly (Row | ModelRow | PriorRow | RidgeRow | BrainDiffuserRow)[],
): void {
  mkdirSync(dirname(file), { recursive: true });
  appendFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

/** All extents times a number. */
function scaled<T extends object>(size: T, scale: number): T {
  const extents = Object.entries(size).map(([name, extent]) => [name, Math.ceil((extent as number) * scale)]);
  return Object.fromEntries(extents) as T;
}

function version(): string {
  return (JSON.parse(readFileSync(join(here, 'package.json'), 'utf8')) as { version: string }).version;
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

main().then(
  // Dawn keeps the event loop alive: end explicitly.
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
