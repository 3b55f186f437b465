import {
  type Decoder,
  type Json,
  type PreparedStudy,
  RidgeDecoder,
  type Study,
  splitScores,
  takeRows,
} from '@fmri2image/core';
import type { FoldRecord } from './folds.ts';

/** What a band of voxels adds, mean over targets. */
export interface BandScore {
  readonly name: string;
  /** Columns of the betas in the band. */
  readonly values: number;
  /** Its mean share of the weights. */
  readonly share: number;
  readonly r2: number;
  readonly correlation: number;
}

/**
 * The record of a fold whose decoder has bands, with what each adds to the predictions of trials that it did not see
 * (`splitScores`); other records as they are.
 */
export async function withBandScores(
  record: FoldRecord,
  decoder: Decoder,
  study: Study,
  { voxels, runs }: PreparedStudy,
  test: readonly number[],
  signal: AbortSignal,
): Promise<FoldRecord> {
  if (!(decoder instanceof RidgeDecoder) || !Array.isArray(record.report.bands)) return record;
  const all = await decoder.predictBands(voxels, { runs, signal });
  const size = all[0]!.values.length / voxels.shape[0]!;
  const parts = all.map(
    ({ values }) => takeRows({ data: values, shape: [voxels.shape[0]!, size] }, test).data,
  );
  const truth = takeRows(
    study.stimuli!.values,
    test.map((trial) => study.trials[trial]!.stimulus!),
  );
  const { r2, correlation } = splitScores(parts, truth);
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const bands = record.report.bands.map((band, b) => ({
    ...(band as { readonly [key: string]: Json }),
    r2: mean(r2[b]!),
    correlation: mean(correlation[b]!),
  }));
  return { ...record, report: { ...record.report, bands } };
}

/** Means over folds of what each band adds; empty where there are no bands, or nothing was held out. */
export function bandScoresOf(folds: readonly FoldRecord[]): BandScore[] {
  const records = folds.map(({ report }) => report.bands as unknown as StoredBand[] | undefined);
  const names = [...new Set(records.flatMap((bands) => bands?.map(({ name }) => name) ?? []))];
  return names.flatMap((name) => {
    const found = records.flatMap((bands) => bands?.find((band) => band.name === name) ?? []);
    if (found.some(({ r2 }) => r2 === undefined)) return [];
    const mean = (of: (band: StoredBand) => number) =>
      found.reduce((sum, band) => sum + of(band), 0) / found.length;
    const values = found[0]!.voxels.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    return {
      name,
      values,
      share: mean(({ share }) => share),
      r2: mean((b) => b.r2!),
      correlation: mean((b) => b.correlation!),
    };
  });
}

interface StoredBand {
  readonly name: string;
  readonly voxels: readonly (readonly [number, number])[];
  readonly share: number;
  readonly r2?: number;
  readonly correlation?: number;
}
