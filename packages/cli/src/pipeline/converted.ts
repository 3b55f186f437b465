import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  type BackendInfo,
  CONVERTED_KINDS,
  type Features,
  type Json,
  kindOfDevice,
  type LoadedDecoder,
  type Reconstruction,
  type Rows,
  VERSION,
} from '@fmri2image/core';
import { ioError } from '@fmri2image/node';
import type { Console } from '../console.ts';
import type { ChosenRun } from './convertedSettings.ts';
import type { NoiseFile } from './noiseFile.ts';
import type { Repetition } from './repeats.ts';
import { WorkFolder } from './workFolder.ts';

/** Whether a bundle holds converted weights of a published model, which knows stages and repeats. */
export const isConverted = (kind: string): boolean => CONVERTED_KINDS.includes(kind);

/** What the main output of a stage is called: the name of its file. */
export function mainOutput(stage: string): string {
  if (stage === 'blurry') return 'latent';
  return stage === 'prior' ? 'prior' : 'tokens';
}

/** A run of a converted model over some reconstructions. */
export interface ConvertedRun {
  readonly decoder: Pick<LoadedDecoder, 'reconstruct' | 'kind'>;
  readonly stage: string;
  /** [rows, voxels] */
  readonly betas: Rows;
  /** Rows of the betas that each reconstruction averages. */
  readonly repetitions: readonly Repetition[];
  /** None where the stage draws nothing. */
  readonly seed: number | undefined;
  readonly noise?: NoiseFile | undefined;
}

/** What tells one run from another, so that a killed one can be taken up again. */
export function runIdentity(
  { stage, precision, subject, seed, repeats }: ChosenRun,
  repetitions: readonly Repetition[],
  {
    bundle,
    data,
    noise,
    device,
  }: {
    readonly bundle: string;
    readonly data: string;
    readonly noise: NoiseFile | undefined;
    readonly device: BackendInfo;
  },
): Record<string, Json> {
  return {
    version: VERSION,
    bundle,
    data,
    stage,
    precision,
    subject,
    device: kindOfDevice(device),
    seed: noise ? 'recorded noise' : (seed ?? 'none'),
    noise: noise?.identity ?? 'none',
    repeats,
    trials: trialsOf(repetitions),
  };
}

/** Which trials a run takes, so short that an error can say it. */
function trialsOf(repetitions: readonly Repetition[]): string {
  const rows = repetitions.map(({ averaged }) => averaged.join('+')).join(' ');
  const digest = createHash('sha256').update(rows).digest('hex').slice(0, 12);
  const count = new Set(repetitions.flatMap(({ trials }) => trials)).size;
  return `${count} trials (list ${digest})`;
}

/**
 * Reconstructs what is missing in the work folder, row by row; progress counts all. An abort leaves what is done there.
 *
 * @returns reconstructions that were made now, and the seconds they took
 */
export async function runConverted(
  run: ConvertedRun,
  work: WorkFolder,
  { console, signal }: { console: Console; signal: AbortSignal },
): Promise<{ made: number; seconds: number }> {
  const { repetitions } = run;
  const first = work.done;
  const started = performance.now();
  const main = mainOutput(run.stage);
  const report = () => {
    const made = work.done - first;
    const rate = made / ((performance.now() - started) / 1e3);
    const speed =
      made > 0 ? `, ${rate < 1 ? `${(1 / rate).toFixed(1)} s each` : `${rate.toFixed(1)} a second`}` : '';
    console.progress(
      'reconstruct',
      work.done / repetitions.length,
      `${work.done} of ${repetitions.length}${speed}`,
    );
  };
  report();
  for await (const reconstruction of remaining(run, first, signal)) {
    await work.append(outputsOf(reconstruction, main));
    report();
  }
  return { made: work.done - first, seconds: (performance.now() - started) / 1e3 };
}

/** Reconstructions that are made together: rows of one batch may differ in the last bit from those of another. */
export function stepOf({ stage, noise }: Pick<ConvertedRun, 'stage' | 'noise'>): number {
  // A sample of a prior takes long, and recorded noise much room: one at a time.
  return stage === 'prior' || noise ? 1 : 15;
}

/** What is missing, in steps that begin at the same places in every run. */
async function* remaining(
  run: ConvertedRun,
  first: number,
  signal: AbortSignal,
): AsyncGenerator<Reconstruction> {
  const { decoder, betas, repetitions, seed, noise } = run;
  const step = stepOf(run);
  for (let at = first; at < repetitions.length; at += step) {
    const repeats = repetitions.slice(at, at + step).map(({ averaged }) => averaged);
    const drawn = noise ? { noise: await noise.item(at, signal) } : { seed };
    yield* decoder.reconstruct(betas, { repeats, ...drawn, signal });
  }
}

function outputsOf({ features, beside }: Reconstruction, main: string): Map<string, Features> {
  return new Map([[main, features!], ...Object.entries(beside ?? {})]);
}

/** Opens the folder for unfinished work beside an output that may be in a folder still to be made. */
export async function openWork(
  output: string,
  identity: Record<string, Json>,
  count: number,
  options: { restart?: boolean | undefined; step?: number | undefined },
): Promise<WorkFolder> {
  const beside = dirname(resolve(output));
  await mkdir(beside, { recursive: true }).catch((error) => {
    throw ioError(error, beside, 'write');
  });
  return WorkFolder.open(output, identity, count, options);
}
