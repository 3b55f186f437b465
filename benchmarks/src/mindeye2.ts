import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import {
  type Backend,
  bytesPerElement,
  convertedModel,
  createRandom,
  matchWeights,
  mindeye2,
  type OpSpec,
  type Rows,
  sizeOf,
  type TensorSpec,
  writeWeights,
} from '@fmri2image/core';
import { MINDEYE2_PUBLISHED, randomModel } from '@fmri2image/core/conformance';
import { CpuBackend, loadDecoder, writeFolderAtomic } from '@fmri2image/node';
import type { Limits } from './limits.ts';
import { commit } from './machine.ts';
import { type Cell, markdownTable } from './markdown.ts';
import { timing } from './statistics.ts';

/** Stages in the order in which they are measured. */
export const STAGES = ['tokens', 'blurry', 'prior'] as const;
type Stage = (typeof STAGES)[number];

/** Bytes of the bundle, and a margin. */
const DISK_BYTES = 5e9;
const REPEATS = 3;

/** One stage, in seconds and bytes. */
export interface ModelRow {
  readonly model: 'mindeye2';
  readonly weights: 'random';
  readonly stage: Stage;
  readonly precision: string;
  readonly threads: number;
  readonly device: string;
  readonly loadSeconds: number;
  readonly weightBytes: number;
  /** The first trial after loading, and the later ones. */
  readonly firstSeconds: number;
  readonly warm: ReturnType<typeof timing>;
  /** Processor time of a later trial over the threads: what it would take at least if nobody else were there. */
  readonly busySeconds: number;
  readonly gflop: number;
  /** What no implementation can beat: op by op, the slower of flops over peak and bytes over bandwidth. */
  readonly floorSeconds: number | undefined;
  readonly residentBytes: number;
  /** Of a process that loaded nothing. */
  readonly residentBefore: number;
  readonly commit: string;
  readonly date: string;
}

export interface ModelBenchOptions {
  readonly stages: readonly Stage[];
  readonly precision: string | undefined;
  readonly threads: number;
  readonly samples: number;
  /** A bundle that is there already, and stays; otherwise one is written to a temporary folder and removed. */
  readonly bundle: string | undefined;
  readonly limits: Limits | undefined;
  readonly note: (line: string) => void;
}

/**
 * MindEye2 at its published size with random weights: from voxels of one trial's three repeats to the outputs of each stage,
 * each in a process of its own, so that resident memory is that of one stage.
 */
export function measureMindEye2(options: ModelBenchOptions): ModelRow[] {
  const temporary = options.bundle === undefined ? mkdtempSync(join(os.tmpdir(), 'f2i-bench-')) : undefined;
  try {
    const bundle = options.bundle ?? join(temporary!, 'mindeye2.bundle');
    if (temporary) writeInChild(bundle, temporary, options.note);
    return options.stages.map((stage) => {
      options.note(`mindeye2, stage ${stage}`);
      return child<ModelRow>({ ...options, bundle, stage });
    });
  } finally {
    if (temporary) rmSync(temporary, { recursive: true, force: true });
  }
}

function writeInChild(bundle: string, folder: string, note: (line: string) => void): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < DISK_BYTES)
    throw new Error(`${folder}: ${DISK_BYTES / 1e9} GB are needed for random weights`);
  note('writing random weights at the published size (4.5 GB, removed afterwards) ...');
  child({ write: bundle });
}

/** This module's work in a new process; the request and the answer are JSON. */
function child<T>(request: object): T {
  const [program = '', ...flags] = [process.execPath, ...process.execArgv];
  const { status, stdout } = spawnSync(
    program,
    [...flags, process.argv[1]!, '--child', JSON.stringify(request)],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      maxBuffer: 2 ** 24,
    },
  );
  if (status !== 0) throw new Error('a process of the benchmark failed');
  return JSON.parse(stdout || 'null') as T;
}

/** What `child` asked for. */
export async function serveChild(text: string): Promise<void> {
  const request = JSON.parse(text) as { write?: string } & ModelBenchOptions & {
      stage: Stage;
      bundle: string;
    };
  if (request.write !== undefined) await writeRandom(request.write);
  else process.stdout.write(JSON.stringify(await measureStage(request)));
}

async function writeRandom(path: string): Promise<void> {
  const source = randomModel(mindeye2, MINDEYE2_PUBLISHED, { dtype: 'bf16' });
  const matched = matchWeights(source, mindeye2);
  await writeFolderAtomic(path, async (write) => {
    await writeWeights(source, matched, convertedModel(source, matched, 'bf16'), write, { dtype: 'bf16' });
  });
}

async function measureStage({
  stage,
  bundle,
  precision,
  threads,
  samples,
  limits,
}: ModelBenchOptions & { stage: Stage; bundle: string }): Promise<ModelRow> {
  const backend = new CpuBackend({ threads });
  const residentBefore = process.memoryUsage.rss();
  const started = performance.now();
  const decoder = await loadDecoder(bundle, {
    backend,
    stage,
    ...(precision !== undefined && { precision: precision as 'bf16' }),
  });
  const loadSeconds = (performance.now() - started) / 1e3;
  const weightBytes = backend.liveTensors().reduce((sum, { byteLength }) => sum + byteLength, 0);
  const betas = trial(decoder.voxels);
  const counted = countWork(backend, limits);
  const run = async () => {
    const start = performance.now();
    for await (const { features } of decoder.reconstruct(betas, { repeats: [[0, 1, 2]] })) {
      if (!features?.data.every(Number.isFinite)) throw new Error(`stage ${stage}: not finite`);
    }
    return (performance.now() - start) / 1e3;
  };
  const firstSeconds = await run();
  const work = counted.stop();
  const seconds: number[] = [];
  const before = process.cpuUsage();
  for (let i = 0; i < samples; i++) seconds.push(await run());
  const { user, system } = process.cpuUsage(before);
  const residentBytes = process.memoryUsage.rss();
  const { description } = backend.info;
  await decoder.dispose();
  await backend.dispose();
  return {
    model: 'mindeye2',
    weights: 'random',
    stage,
    precision: precision ?? 'bf16',
    threads,
    device: `${os.cpus()[0]?.model ?? 'unknown CPU'}; ${description}`,
    loadSeconds,
    weightBytes,
    firstSeconds,
    warm: timing(seconds),
    busySeconds: (user + system) / 1e6 / samples / threads,
    gflop: work.flops / 1e9,
    floorSeconds: limits && work.floor,
    residentBytes,
    residentBefore,
    commit: commit(),
    date: new Date().toISOString(),
  };
}

function trial(voxels: number): Rows {
  const data = Float32Array.from(createRandom(1).normals(REPEATS * voxels));
  return { data, shape: [REPEATS, voxels] };
}

/** Sums flops and floors of the ops that a backend is given, until it is stopped. */
function countWork(backend: Backend, limits: Limits | undefined) {
  const work = { flops: 0, floor: 0 };
  const plain = backend.enqueue.bind(backend);
  const bytesOf = ({ shape, dtype }: TensorSpec) => sizeOf(shape) * bytesPerElement(dtype);
  const counting: Backend['enqueue'] = (op, inputs, attributes, outputs, ...rest) => {
    const flops = (op as unknown as OpSpec).flops(inputs, attributes);
    const bytes = [...inputs, ...outputs].reduce((sum, spec) => sum + (spec ? bytesOf(spec) : 0), 0);
    work.flops += flops;
    if (limits) work.floor += Math.max(flops / limits.f32Gflops, bytes / limits.copyGBs) / 1e9;
    return plain(op, inputs, attributes, outputs, ...rest);
  };
  backend.enqueue = counting;
  return {
    stop: () => {
      backend.enqueue = plain;
      return work;
    },
  };
}

export function modelTable(rows: readonly ModelRow[]): string {
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(2);
  const lines = rows.map((row): Cell[] => {
    return [
      row.stage,
      row.precision,
      row.threads,
      row.loadSeconds.toFixed(1),
      gigabytes(row.weightBytes),
      row.firstSeconds.toFixed(3),
      row.warm.p50.toFixed(3),
      row.warm.min.toFixed(3),
      row.busySeconds.toFixed(3),
      row.floorSeconds?.toFixed(3) ?? '',
      row.floorSeconds ? ((100 * row.floorSeconds) / row.warm.p50).toFixed(0) : '',
      row.gflop.toFixed(1),
      gigabytes(row.residentBytes),
      gigabytes(row.residentBefore),
    ];
  });
  return [
    `MindEye2 at its published size with random weights: one trial, ${REPEATS} repeats, outputs averaged.`,
    '',
    markdownTable(
      [
        'stage',
        'weights',
        'threads',
        'load s',
        'weights GB',
        'first s',
        'warm p50 s',
        'warm min s',
        'busy s',
        'floor s',
        'floor %',
        'GFLOP',
        'RSS GB',
        'RSS before GB',
      ],
      lines,
    ),
    '',
    'first: pages of the mapped weights come into the process. busy: processor time over threads, where others run too. floor:',
    'op by op, the slower of flops over peak and bytes over the bandwidth of a copy, both measured in this run. The prior draws',
    'one sample: 19 evaluations.',
  ].join('\n');
}
