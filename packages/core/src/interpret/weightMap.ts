import type { Backend } from '../backend.ts';
import { moveTo } from '../decoders/ridge/matrices.ts';
import type { Precision } from '../decoders/ridge/precision.ts';
import { allColumns, columnBlocks } from '../decoders/ridge/targets.ts';
import { bytesPerElement } from '../dtype.ts';
import { F2iError, throwIfAborted } from '../error.ts';
import { hasFloat64 } from '../float64.ts';
import type { Tensor } from '../tensor.ts';
import { type Combine, overLags, type ProjectOptions, projectRows } from './project.ts';
import type { Readout } from './readout.ts';

export interface MapOptions {
  backend: Backend;
  /** Targets to take, as indices; all when absent. */
  targets?: readonly number[] | undefined;
  /**
   * `norm`: root of the sum of squares over targets and lags, never negative. `sum` keeps the sign: the sum over lags (and
   * over targets, where there are several). By default `sum` for a single target, else `norm`.
   */
  combine?: Combine | undefined;
  precision?: Precision | undefined;
  signal?: AbortSignal | undefined;
}

/** One number a voxel, and what it is. */
export interface VoxelMap {
  /** [voxels] */
  readonly values: Float32Array;
  readonly combine: Combine;
  readonly units: string;
  readonly description: string;
  /** Peculiarities in words: a covariance that had to be regularised. */
  readonly notes: readonly string[];
}

/**
 * How much a read-out listens to each voxel: its weights, combined over targets and lags. A weight tells what is done
 * with a voxel, not what the voxel carries: voxels without any signal get large weights where they share noise with others
 * (Haufe et al. 2014, NeuroImage 87:96). `patternMap` shows activity.
 *
 * Costs what a product of the weights with themselves costs: for dual weights [n, t] of p voxels n² t + 2 n² p
 * multiplications; the weights of voxels, [p, t], are not made.
 *
 * @throws INVALID_ARGUMENT for targets that there are not, naming them
 */
export async function weightMap(readout: Readout, options: MapOptions): Promise<VoxelMap> {
  const { backend, signal } = options;
  const columns = targetsOf(readout, options.targets);
  const combine = combineOf(columns, options);
  const precision = options.precision ?? (hasFloat64(backend) ? 'f64' : 'f32');
  const width = readout.voxels * readout.lags;
  let values: Float64Array;
  if (readout.form === 'primal') {
    values = new Float64Array(width);
    for (const block of blocksOf(columns, width)) {
      throwIfAborted(signal, 'weight maps');
      const weights = await readout.weights(block, signal);
      for (let i = 0; i < weights.length; i++) {
        values[Math.floor(i / block.length)]! += combine === 'norm' ? weights[i]! ** 2 : weights[i]!;
      }
    }
    if (combine === 'norm') values = values.map(Math.sqrt);
  } else {
    const { design } = readout;
    if (!design) throw invalid('design', 'dual weights need the responses of training rows', 'them', 'none');
    const ops = { backend, precision, signal };
    values = await projectRows(design, width, dualWeights(readout, design.rows, columns, ops), combine, ops);
  }
  // A voxel that never varied has no say, whatever its weight.
  for (let i = 0; i < width; i++) if (!(readout.scale[i]! > 0)) values[i] = 0;
  return {
    values: overLags(values, readout.voxels, combine),
    combine,
    units: unitOfWeights(readout),
    description: `${inWords(combine, columns.length, readout)} of the weights of the read-out; a weight says what is done with a voxel, not whether the voxel is active`,
    notes: [],
  };
}

export const unitOfWeights = ({ unit }: Readout): string => `units of the target per ${unit.one}`;

/** `norm over 300 targets and 4 lags` */
export function inWords(combine: Combine, targets: number, { lags }: Readout): string {
  const over = [...(targets > 1 ? [`${targets} targets`] : []), ...(lags > 1 ? [`${lags} lags`] : [])].join(
    ' and ',
  );
  const what = combine === 'norm' ? (over ? 'norm' : 'size') : over ? 'sum' : 'value';
  return `${what}${over ? ` over ${over}` : ''}`;
}

/** @throws INVALID_ARGUMENT */
export function targetsOf(readout: Readout, asked: readonly number[] | undefined): Int32Array {
  if (!asked) return allColumns(readout.targets);
  const bad = asked.find((t) => !Number.isInteger(t) || t < 0 || t >= readout.targets);
  if (bad !== undefined || asked.length === 0) {
    const expected = `at least one of 0 to ${readout.targets - 1}, each once`;
    throw invalid('targets', 'no such target', expected, `${bad ?? 'none'}`);
  }
  const twice = asked.find((t, i) => asked.indexOf(t) !== i);
  if (twice !== undefined) throw invalid('targets', 'a target is named twice', 'each once', `${twice} twice`);
  return Int32Array.from(asked);
}

export const combineOf = (columns: Int32Array, { combine }: MapOptions): Combine =>
  combine ?? (columns.length === 1 ? 'sum' : 'norm');

/** Columns in blocks that fit. */
export const blocksOf = (columns: Int32Array, rows: number) =>
  columnBlocks(columns, rows, bytesPerElement('f64'));

/** Weights of training rows, on the device, block by block. */
async function* dualWeights(
  readout: Readout,
  rows: number,
  columns: Int32Array,
  { backend, precision, signal }: ProjectOptions,
): AsyncGenerator<Tensor, void, void> {
  for (const block of blocksOf(columns, rows)) {
    const weights = await readout.weights(block, signal);
    yield backend.scope(() => moveTo(backend, weights, [rows, block.length], precision, { signal }));
  }
}

export function invalid(field: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
