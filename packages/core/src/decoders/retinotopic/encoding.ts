import { pacer } from '../../data/pause.ts';
import { F2iError } from '../../error.ts';
import { columnStats, gather, gemm, type OpOptions, standardize } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import type { VisualExtent } from './fields.ts';
import { type FieldGrid, type GridMatch, gridOverlaps, matchGrid, SMALLEST_OVERLAP } from './grid.ts';
import { type Hrf, hrfKernel, hrfSeconds } from './hrf.ts';
import { chooseHrf, type HrfChoice } from './hrfSearch.ts';
import { FieldPainter, PRF_PARAMETERS, type PrfModel, spatialCount } from './prf.ts';
import { type RefineProblem, refineFields } from './refine.ts';
import {
  convolutionMatrix,
  driftBasis,
  framesWithin,
  removeDrift,
  rowsOutsideGuard,
  type VolumePosition,
} from './timing.ts';

/** What an encoding model is fitted on. */
export interface EncodingData {
  /** [n, v] on the device. */
  readonly voxels: Tensor;
  /** [n, pixels] on the device: what was shown while each volume was acquired. */
  readonly frames: Tensor;
  readonly positions: readonly VolumePosition[];
  readonly grid: FieldGrid;
  readonly visual: VisualExtent;
  readonly size: readonly [height: number, width: number];
  readonly tr: number;
}

export interface EncodingSettings {
  readonly model: PrfModel;
  readonly acquisition: number;
  /** Volumes within so many seconds after frames that are not known are left out. */
  readonly guardSeconds: number;
  readonly signed: boolean;
  /** Smallest training correlation of a voxel that is used, and how many are used at most. */
  readonly threshold: number;
  readonly maximumVoxels: number;
  readonly iterations: number;
  /** Degree of the polynomial that is taken for baseline and drift of a recording. */
  readonly drift: number;
}

/** Receptive fields of the selected voxels, and what they leave unexplained. */
export interface Encoding {
  readonly hrf: Hrf;
  readonly kernel: Float64Array;
  /** Columns of the betas. */
  readonly voxel: Int32Array;
  /** [selected, parameters] */
  readonly theta: Float64Array;
  readonly amplitude: Float64Array;
  readonly baseline: Float64Array;
  readonly correlation: Float64Array;
  /** What a linear response adds to the overlap with the field: [selected, pixels], amplitudes included. */
  readonly fields: Float32Array;
  /** [rows, selected], drift removed: response minus prediction of `fields`. */
  readonly residuals: Float32Array;
  /** Rows of the data that it was fitted on. */
  readonly rows: Int32Array;
}

/** One cell in so many is looked at when the response function is chosen. */
const HRF_CELL_STEP = 7;
/** Volumes that a fit needs at least. */
const LEAST_ROWS = 10;
/** Voxels of the grid search that are refined: those down to this part of the threshold. */
const REFINED_PART = 0.85;

/** What both the search for the response and the fit of the fields need, for one set of volumes. */
interface EncodingProblem {
  readonly rows: Int32Array;
  /** [n, cells] */
  readonly overlaps: Tensor;
  /** [rows, v], drift removed: standardised on the device, and as they are. */
  readonly standardised: Tensor;
  readonly host: Float32Array;
  /** Mean of each voxel over the rows. */
  readonly means: Float32Array;
  /** Frames to rows, [rows, n], drift removed. */
  convolution(hrf: Hrf): Float32Array;
}

/**
 * The haemodynamic response with the largest r², averaged over voxels, each taking its best field of a part of the
 * grid. One response for all voxels.
 */
export async function fitHrf(
  data: EncodingData,
  settings: EncodingSettings,
  options: OpOptions,
): Promise<HrfChoice> {
  return withProblem(data, settings, options, async ({ overlaps, ...problem }) => {
    const count = Math.ceil(overlaps.shape[1]! / HRF_CELL_STEP);
    const cols = Int32Array.from({ length: count }, (_, i) => i * HRF_CELL_STEP);
    const some = gather(overlaps, { ...options, cols });
    try {
      return await chooseHrf(async (hrf) => {
        const { correlation } = await search({ ...problem, overlaps: some }, hrf, settings.signed, options);
        return correlation.reduce((sum, r) => sum + Math.max(0, r) ** 2, 0) / correlation.length;
      });
    } finally {
      some.dispose();
    }
  });
}

/**
 * Fits receptive fields: the best cell of a grid for each voxel, refinement of the promising ones, and the choice of
 * voxels by their training correlation.
 */
export async function fitEncoding(
  data: EncodingData,
  hrf: Hrf,
  settings: EncodingSettings,
  options: OpOptions,
): Promise<Encoding> {
  return withProblem(data, settings, options, async (problem) => {
    const { rows, host, means } = problem;
    const { theta: grid } = data.grid;
    const { backend } = data.voxels;
    const [n, v] = data.voxels.shape as [number, number];
    const { model, acquisition, threshold, signed } = settings;
    const parameters = PRF_PARAMETERS[model].length;
    const found = await search(problem, hrf, signed, options);
    const promising = best(found.correlation, REFINED_PART * threshold, v);
    if (promising.length === 0) throw noVoxel(threshold, found.correlation);
    const start = new Float64Array(promising.length * parameters);
    promising.forEach((voxel, i) => {
      const cell = found.cell[voxel]!;
      start.set(grid.subarray(cell * parameters, (cell + 1) * parameters), i * parameters);
    });
    const convolution = backend.tensor(problem.convolution(hrf), [rows.length, n]);
    try {
      const { visual, size, frames } = data;
      const fields: RefineProblem = { model, visual, size, frames, convolution, signed };
      const responses = columnsOf(host, v, promising);
      const refined = await refineFields(fields, start, responses, settings.iterations, options);
      const chosen = best(refined.correlation, threshold, settings.maximumVoxels);
      if (chosen.length === 0) throw noVoxel(threshold, refined.correlation);
      const take = (values: Float64Array) => Float64Array.from(chosen, (i) => values[i]!);
      const theta = new Float64Array(chosen.length * parameters);
      chosen.forEach((from, i) => {
        theta.set(refined.theta.subarray(from * parameters, (from + 1) * parameters), i * parameters);
      });
      const voxel = Int32Array.from(chosen, (i) => promising[i]!);
      const amplitude = take(refined.amplitude);
      const linear = await linearFields(fields, theta, amplitude, columnsOf(host, v, voxel), options);
      const kernel = kernelOf(hrf, data.tr, acquisition);
      return {
        hrf,
        kernel,
        voxel,
        theta,
        amplitude,
        baseline: await baselines(data, rows, kernel, linear.fields, voxel, means, options),
        correlation: take(refined.correlation),
        fields: linear.fields,
        residuals: linear.residuals,
        rows,
      };
    } finally {
      convolution.dispose();
    }
  });
}

const kernelOf = (hrf: Hrf, tr: number, acquisition: number) =>
  hrfKernel(hrf, { tr, acquisition, seconds: hrfSeconds(hrf) });

/** Prepares a set of volumes, and frees what that took when `body` is done. */
async function withProblem<T>(
  data: EncodingData,
  settings: EncodingSettings,
  options: OpOptions,
  body: (problem: EncodingProblem) => Promise<T>,
): Promise<T> {
  const { voxels, frames, positions, tr } = data;
  const n = positions.length;
  const { acquisition, guardSeconds } = settings;
  const rows = rowsOutsideGuard(positions, framesWithin(guardSeconds, tr, acquisition));
  if (rows.length < LEAST_ROWS) {
    throw new F2iError('INVALID_ARGUMENT', 'too few volumes follow frames that are all known', {
      field: 'guardSeconds',
      expected: `at least ${LEAST_ROWS} volumes outside the guard`,
      found: `${rows.length} of ${n} with a guard of ${guardSeconds} s`,
    });
  }
  const recordings = Array.from(rows, (row) => positions[row]!.recording);
  const drift = driftBasis(recordings, settings.drift);
  const overlaps = gridOverlaps(frames, data.grid, options);
  try {
    const { standardised, host, means } = await prepareResponses(voxels, rows, drift, options);
    const convolution = (hrf: Hrf) => {
      const matrix = convolutionMatrix(positions, rows, kernelOf(hrf, tr, acquisition));
      removeDrift(matrix, n, drift);
      return Float32Array.from(matrix);
    };
    try {
      return await body({ rows, overlaps, standardised, host, means, convolution });
    } finally {
      standardised.dispose();
    }
  } finally {
    overlaps.dispose();
  }
}

/** Rows outside the guard without their drift: on the device (also standardised) and here. */
async function prepareResponses(
  voxels: Tensor,
  rows: Int32Array,
  drift: readonly Float64Array[],
  options: OpOptions,
) {
  const { backend } = voxels;
  const n = rows.length;
  // I - QQᵀ as a matrix: n is a number of volumes.
  const projection = new Float64Array(n * n);
  for (let t = 0; t < n; t++) projection[t * n + t] = 1;
  removeDrift(projection, n, drift);
  const kept = backend.scope(() => {
    const used = gather(voxels, { ...options, rows });
    const responses = gemm(backend.tensor(Float32Array.from(projection), [n, n]), used, options);
    const { mean, std } = columnStats(responses, options);
    const standardised = standardize(responses, { ...options, mean, std });
    const means = columnStats(used, options).mean;
    return { standardised, downloads: [responses.download(), means.download()] };
  });
  try {
    const [host, means] = (await Promise.all(kept.downloads)) as [Float32Array, Float32Array];
    return { standardised: kept.standardised, host, means };
  } catch (error) {
    kept.standardised.dispose();
    throw error;
  }
}

async function search(
  { overlaps, standardised, convolution }: Pick<EncodingProblem, 'overlaps' | 'standardised' | 'convolution'>,
  hrf: Hrf,
  signed: boolean,
  options: OpOptions,
): Promise<GridMatch> {
  const [rows, frames] = [standardised.shape[0]!, overlaps.shape[0]!];
  const matrix = standardised.backend.tensor(convolution(hrf), [rows, frames]);
  try {
    return await matchGrid(overlaps, matrix, standardised, { ...options, signed });
  } finally {
    matrix.dispose();
  }
}

/** Indices of values from `least` up, at most `count` of them (the largest), in ascending order. */
function best(values: ArrayLike<number>, least: number, count: number): Int32Array {
  const above = Array.from(values, (_, i) => i).filter((i) => values[i]! > 0 && values[i]! >= least);
  above.sort((a, b) => values[b]! - values[a]! || a - b);
  return Int32Array.from(above.slice(0, count)).sort();
}

function columnsOf(matrix: Float32Array, width: number, columns: Int32Array): Float32Array {
  const rows = matrix.length / width;
  const out = new Float32Array(rows * columns.length);
  for (let t = 0; t < rows; t++) {
    for (let c = 0; c < columns.length; c++) {
      out[t * columns.length + c] = matrix[t * width + columns[c]!]!;
    }
  }
  return out;
}

/**
 * The fields that enter a linear inversion, with amplitudes, and the residuals of the training rows. A compressive
 * voxel is given the linear gain that fits its predicted responses best over the training stimulus.
 */
async function linearFields(
  { model, visual, size, frames, convolution }: RefineProblem,
  theta: Float64Array,
  amplitude: Float64Array,
  responses: Float32Array,
  options: OpOptions,
) {
  const { backend } = frames;
  const voxels = amplitude.length;
  const count = theta.length / voxels;
  const painter = new FieldPainter(model, visual, ...size);
  const fields = new Float32Array(voxels * painter.pixels);
  const breathe = pacer(options.signal, 'the receptive fields');
  for (let v = 0; v < voxels; v++) {
    painter.paint(theta.subarray(v * count, (v + 1) * count), fields, v, 1, 1);
    if (v % 16 === 0) await breathe();
  }
  const [predicted, overlaps] = (await backend.compute(() => {
    const painted = backend.tensor(fields, [voxels, painter.pixels]);
    const overlap = gemm(frames, painted, { ...options, transB: true });
    return [gemm(convolution, overlap, options), overlap];
  })) as [Float32Array, Float32Array];
  const gain = Float64Array.from(amplitude);
  const n = responses.length / voxels;
  if (model === 'css') {
    const raised = overlaps.map(
      (z, i) => Math.max(z, SMALLEST_OVERLAP) ** Math.exp(theta[(i % voxels) * count + spatialCount(model)]!),
    );
    const m = overlaps.length / voxels;
    const [compressed] = (await backend.compute(() => [
      gemm(convolution, backend.adopt(raised.buffer as ArrayBuffer, [m, voxels], 'f32'), options),
    ])) as [Float32Array];
    for (let v = 0; v < voxels; v++) {
      let [cross, square] = [0, 0];
      for (let t = 0; t < n; t++) {
        cross += compressed[t * voxels + v]! * predicted[t * voxels + v]!;
        square += predicted[t * voxels + v]! ** 2;
      }
      gain[v]! *= square > 0 ? cross / square : 0;
    }
  }
  const residuals = responses.map((value, i) => value - gain[i % voxels]! * predicted[i]!);
  for (let v = 0; v < voxels; v++) {
    for (let p = 0; p < painter.pixels; p++) fields[v * painter.pixels + p]! *= gain[v]!;
  }
  return { fields, residuals };
}

/** Mean response over the rows, minus the mean of the predictions: what a blank picture gives. */
async function baselines(
  { frames, positions }: EncodingData,
  rows: Int32Array,
  kernel: Float64Array,
  fields: Float32Array,
  voxel: Int32Array,
  means: Float32Array,
  options: OpOptions,
): Promise<Float64Array> {
  const { backend } = frames;
  const [m, pixels] = frames.shape as [number, number];
  const convolution = convolutionMatrix(positions, rows, kernel);
  const weights = new Float32Array(m);
  convolution.forEach((value, i) => {
    weights[i % m]! += value / rows.length;
  });
  const [predicted] = (await backend.compute(() => {
    const shown = gemm(backend.tensor(weights, [1, m]), frames, options);
    return [gemm(shown, backend.tensor(fields, [voxel.length, pixels]), { ...options, transB: true })];
  })) as [Float32Array];
  return Float64Array.from(voxel, (column, i) => means[column]! - predicted[i]!);
}

function noVoxel(threshold: number, correlation: ArrayLike<number>): F2iError {
  const most = Array.from(correlation).reduce((a, b) => Math.max(a, b), 0);
  return new F2iError('INVALID_ARGUMENT', 'no voxel follows the stimulus', {
    field: 'threshold',
    expected: `a training correlation of ${threshold}`,
    found: `${most.toFixed(3)} at most`,
  });
}
