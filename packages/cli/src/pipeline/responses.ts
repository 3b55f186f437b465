import { createHash } from 'node:crypto';
import { pacer, prepareStudy, type Rows, type Study } from '@fmri2image/core';
import type { Console } from '../console.ts';
import { findNsdSubject, type NsdPlace } from '../nsd/find.ts';
import { openNsdSubject } from '../nsd/layout.ts';
import { usage } from '../options.ts';
import { openStudy } from '../study.ts';
import { describeTrial } from './reconstruct.ts';
import type { ResultItem } from './results.ts';

/** Responses for a model that was trained elsewhere: of a study, or of files of NSD. */
export interface Responses {
  readonly name: string;
  /** One row a trial, those that are asked for and perhaps others. */
  readonly betas: Rows & { readonly data: Float32Array };
  /** Rows to reconstruct. */
  readonly rows: readonly number[];
  /** What the trials of a reconstruction were. */
  describe(rows: readonly number[]): Omit<ResultItem, 'seen'>;
  /** Identity of what was shown in a row. */
  stimulusOf(row: number): number | undefined;
  /** The study, where it is one. */
  readonly study?: Study | undefined;
}

interface Options {
  data?: string | undefined;
  /** Trials of the study that are asked for. */
  choose: (study: Study) => number[];
  /** Trials by number from 0, where the user named some. */
  trials?: readonly number[] | undefined;
  signal: AbortSignal;
  console: Console;
}

/** Opens the path of a study, of its folder, or of betas that MindEye2 published. */
export async function openResponses(path: string, options: Options): Promise<Responses> {
  const place = await findNsdSubject(path);
  if (place) return nsdResponses(place, options);
  const study = await openStudy(path, options.data, options.signal);
  // A model that was trained elsewhere takes betas as they are: nothing is fitted here.
  const { voxels } = prepareStudy(study, []);
  return {
    name: study.name,
    study,
    betas: voxels,
    rows: options.choose(study),
    describe(rows) {
      const own = rows.map((row) => describeTrial(study, row));
      const run = [...new Set(own.map((item) => item.run))].sort().join('+');
      return { ...own[0]!, trials: [...rows], run };
    },
    stimulusOf: (row) => study.trials[row]!.stimulus,
  };
}

/** Test trials of a subject of NSD. Trials are named by their row of the file of betas. */
async function nsdResponses(
  { folder, subject }: NsdPlace,
  { trials, signal, console }: Options,
): Promise<Responses> {
  const nsd = await openNsdSubject(folder, subject, signal);
  try {
    const { test } = nsd;
    const byRow = new Map(test.map((trial) => [trial.row, trial]));
    const other = trials?.find((row) => !byRow.has(row));
    if (other !== undefined) {
      throw usage(
        `trial ${other + 1} is no test trial of ${nsd.name}; the first are ${test
          .slice(0, 5)
          .map(({ row }) => row + 1)
          .join(', ')}`,
      );
    }
    const chosen = trials ? trials.map((row) => byRow.get(row)!) : test;
    const betas = await nsd.readBetas(
      chosen.map(({ row }) => row),
      { signal, onProgress: (share) => console.progress(`read ${nsd.name}`, share) },
    );
    return {
      name: `nsd-${nsd.name}`,
      betas,
      rows: chosen.map((_, i) => i),
      describe(rows) {
        const own = rows.map((row) => chosen[row]!);
        const { image } = own[0]!;
        return {
          trials: own.map(({ row }) => row),
          stimulus: image,
          stimulusName: `nsd-${String(image).padStart(5, '0')}`,
          run: [...new Set(own.map(({ session, run }) => `${session}.${run}`))].join('+'),
        };
      },
      stimulusOf: (row) => chosen[row]!.image,
    };
  } finally {
    nsd.close();
  }
}

/** SHA-256 of numbers, in pieces: the same betas may be taken up again, others may not. */
export async function checksum({ data, shape }: Rows, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256').update(shape.join());
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const breathe = pacer(signal, 'checking the betas');
  for (let at = 0; at < bytes.length; at += 2 ** 22) {
    hash.update(bytes.subarray(at, at + 2 ** 22));
    await breathe();
  }
  return hash.digest('hex');
}
