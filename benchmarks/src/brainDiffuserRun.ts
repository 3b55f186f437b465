import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Design, openMatrix, openStreamedRidge } from '@fmri2image/core';
import { CpuBackend, fileSource, npyFileSink } from '@fmri2image/node';
import { FILES, type Problem } from './brainDiffuserData.ts';

/** Brain-Diffuser's penalty of CLIP-vision. */
export const ALPHA = 6e4;
/** Checkpoints of a run: each waits for the disk. */
const CHECKPOINTS = 12;

/** One regression from disk to disk, in a process of its own. */
export interface RunRequest {
  readonly folder: string;
  readonly problem: Problem;
  readonly keep: 'predictions' | 'dual';
  /** Name of the result within the folder. */
  readonly out: string;
  /** Ceiling of resident bytes. */
  readonly memory: number;
  readonly threads: number;
}

export interface RunReport {
  readonly seconds: number;
  /** In which nothing was computed because files were read or written. */
  readonly fileSeconds: number;
  readonly flops: number;
  /** Largest resident set of the process, as the system counted it. */
  readonly peakBytes: number;
  readonly precision: string;
  /** Column from which this run went on. */
  readonly from: number;
}

/** Columns of a result that are on the disk for good. */
export function checkpointOf(folder: string, out: string): number {
  const file = join(folder, `${out}.done`);
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
}

/** Runs, or goes on where a killed run stopped. */
export async function runToDisk(request: RunRequest): Promise<RunReport> {
  const { folder, problem, keep, out, memory, threads } = request;
  const started = performance.now();
  const backend = new CpuBackend({ threads, memoryLimit: memory });
  const train = await openMatrix(await fileSource(join(folder, FILES.train)));
  const test = await openMatrix(await fileSource(join(folder, FILES.test)));
  const targets = await openMatrix(await fileSource(join(folder, FILES.targets)));
  const rows = (count: number) => Int32Array.from({ length: count }, (_, i) => i);
  const design: Design = {
    train: problem.train,
    test: problem.test,
    voxels: problem.voxels,
    ledger: [],
    async read(from, to, signal, into) {
      const block = async (matrix: typeof train, own: Float32Array | undefined) =>
        (await matrix.read(rows(matrix.rows), from, to, signal, own)) as Float32Array;
      return { train: await block(train, into?.train), test: await block(test, into?.test) };
    },
  };
  const isDual = keep === 'dual';
  const from = checkpointOf(folder, out);
  const sink = await npyFileSink(join(folder, out), {
    // Weights as bundles store them, a row for each target: each block lies together in the file.
    ...(isDual
      ? { rows: 1, shape: [problem.tokens, problem.width, problem.train] }
      : { rows: problem.test, shape: [problem.tokens, problem.width] }),
    resume: existsSync(join(folder, out)),
  });
  const ridge = await openStreamedRidge(design, {
    backend,
    alpha: ALPHA,
    intercept: true,
    form: 'dual',
    memory,
  });
  let kept = from;
  const checkpoints = {
    async write(first: number, end: number, values: Float32Array | Float64Array) {
      const size = isDual ? problem.train : 1;
      await sink.write(first * size, end * size, values);
      if (end - kept < targets.columns / CHECKPOINTS && end !== targets.columns) return;
      kept = end;
      await sink.flush();
      const file = join(folder, `${out}.done`);
      writeFileSync(`${file}.new`, String(end));
      renameSync(`${file}.new`, file);
    },
  };
  const features = { source: targets, train: rows(problem.train) };
  if (isDual) await ridge.dual(features, checkpoints, { alphas: ALPHA, from, byTarget: true });
  else await ridge.predict(features, checkpoints, { alphas: ALPHA, from });
  await sink.close();
  const { flops, fileSeconds } = ridge.work;
  const { precision } = ridge.numerics;
  ridge.dispose();
  await backend.dispose();
  const seconds = (performance.now() - started) / 1e3;
  return { seconds, fileSeconds, flops, peakBytes: peakBytes(), precision, from };
}

function peakBytes(): number {
  const kilobytes = /^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}
