import { z } from 'zod';
import type { Backend } from '../../backend.ts';
import type { Json } from '../../data/json.ts';
import { F2iError } from '../../error.ts';
import { gather, gemm, standardize } from '../../ops/index.ts';
import type { Rows } from '../../rows.ts';
import type { BandedRidgeFit } from './banded.ts';
import type { Band } from './bands.ts';
import type { RidgeModel } from './model.ts';

/** What a model keeps of its bands, in `report.bands`: predictions need none of it, for the weights have absorbed it. */
const schema = z.array(
  z.object({
    name: z.string(),
    /** Its voxels, as ranges [first, last] of the columns of the betas. */
    voxels: z.array(z.tuple([z.int().nonnegative(), z.int().nonnegative()])),
    /** Mean over targets of its share of the weights gamma. */
    share: z.number(),
  }),
);

/** @param voxelBands of the columns of the betas, without lags */
export function describeBands(voxelBands: readonly Band[], { gammas, alphas }: BandedRidgeFit): Json {
  const t = alphas.length;
  const totals = alphas.map((_, j) => voxelBands.reduce((sum, _, b) => sum + gammas[b * t + j]!, 0));
  return voxelBands.map(({ name, columns }, b) => ({
    name,
    voxels: rangesOf(columns),
    share: alphas.reduce((sum, _, j) => sum + gammas[b * t + j]! / totals[j]! / t, 0),
  }));
}

function rangesOf(columns: ArrayLike<number>): [first: number, last: number][] {
  const ranges: [number, number][] = [];
  for (const column of Array.from(columns).sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last && last[1] === column - 1) last[1] = column;
    else ranges.push([column, column]);
  }
  return ranges;
}

/** Bands of the columns of the betas of a model that was fitted with bands; undefined for a plain one. */
export function bandsOfModel({ report, input }: Pick<RidgeModel, 'report' | 'input'>): Band[] | undefined {
  const parsed = schema.safeParse(report.bands);
  if (!parsed.success) return undefined;
  const bands = parsed.data.map(({ name, voxels }) => ({
    name,
    columns: voxels.flatMap(([first, last]) =>
      Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i),
    ),
  }));
  return bands.every(({ columns }) => columns.length > 0 && columns.every((column) => column < input.voxels))
    ? bands
    : undefined;
}

/** Bands of the lagged voxels: a voxel is in its band at every lag. */
export function laggedBands(bands: readonly Band[], voxels: number, lags: number): Band[] {
  return bands.map(({ name, columns }) => ({
    name,
    columns: Array.from({ length: lags }, (_, lag) =>
      Array.from(columns, (column) => lag * voxels + column),
    ).flat(),
  }));
}

/**
 * What each band adds to the predictions, [n, t] each: with `targetMean` they sum up to them.
 *
 * @param design lagged voxels [n, lags x v]
 * @throws UNSUPPORTED for a model without bands
 */
export async function bandContributions(
  model: RidgeModel,
  design: Rows,
  backend: Backend,
  signal?: AbortSignal,
): Promise<{ readonly name: string; readonly values: Float32Array }[]> {
  const bands = bandsOfModel(model);
  if (!bands || model.storage !== 'primal') {
    throw new F2iError('UNSUPPORTED', 'the decoder was fitted without bands', {
      field: 'report.bands',
      expected: 'a decoder of banded ridge',
      found: 'plain ridge',
    });
  }
  const width = model.voxelMean.length;
  const t = model.targetMean.length;
  const rows = design.data.length / width;
  const lagged = laggedBands(bands, model.input.voxels, model.lags.length);
  const values = await backend.compute(() => {
    const x = backend.tensor(Float32Array.from(design.data), [rows, width]);
    const mean = backend.tensor(model.voxelMean, [width]);
    const std = backend.tensor(model.voxelStd, [width]);
    const scaled = standardize(x, { mean, std, signal });
    return lagged.map(({ columns }) => {
      const cols = Int32Array.from(columns);
      const weights = Float32Array.from(
        { length: cols.length * t },
        (_, i) => model.weights[cols[Math.floor(i / t)]! * t + (i % t)]!,
      );
      return gemm(gather(scaled, { cols, signal }), backend.tensor(weights, [cols.length, t]), { signal });
    });
  });
  return bands.map(({ name }, b) => ({ name, values: values[b] as Float32Array }));
}
