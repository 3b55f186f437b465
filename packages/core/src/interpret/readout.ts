import type { RidgeModel } from '../decoders/ridge/model.ts';
import type { RidgeForm } from '../decoders/ridge/types.ts';
import { F2iError } from '../error.ts';
import { type ResponseUnit, standardDeviations, UNITS_OF_RESPONSE } from './unit.ts';

/**
 * A linear read-out: targets are standardised (lagged) voxels times weights. What maps are made of, whatever the decoder;
 * nothing of it needs to be in memory at once.
 */
export interface Readout {
  /** Voxels of the scanner; columns of a design are these, one lag after the other. */
  readonly voxels: number;
  readonly lags: number;
  readonly targets: number;
  /** What weights weigh: standardised voxels (`primal`), or training rows (`dual`): W = Zᵀ C. */
  readonly form: RidgeForm;
  /** Whether design and targets were centred over the training rows. */
  readonly intercept: boolean;
  /** What divided each column of the design, [lags x voxels]; 0 for voxels that do not vary. Ones: nothing did. */
  readonly scale: ArrayLike<number>;
  /** What a step of 1 is in a column of the design: the unit of weights and patterns. */
  readonly unit: ResponseUnit;
  /** Weights of some targets, [rows, columns.length]: rows are columns of the design, or training rows. */
  weights(columns: Int32Array, signal?: AbortSignal): Promise<Float32Array | Float64Array>;
  /** Penalties of some targets. */
  alphas(columns: Int32Array, signal?: AbortSignal): Promise<Float64Array>;
  /** Standardised responses that the read-out was trained on; undefined where they are not kept. */
  readonly design: DesignColumns | undefined;
}

/** Standardised responses, read by columns. */
export interface DesignColumns {
  readonly rows: number;
  /** Columns [from, to), [rows, to - from]; a new array that the caller may give away. */
  read(from: number, to: number, signal?: AbortSignal): Promise<Float32Array | Float64Array>;
}

/** The read-out of a ridge decoder. Dual ones bring the responses that they were trained on. */
export function readoutOf(
  model: Pick<
    RidgeModel,
    | 'input'
    | 'lags'
    | 'storage'
    | 'weights'
    | 'targetMean'
    | 'voxelStd'
    | 'trainingVoxels'
    | 'config'
    | 'alphas'
  >,
): Readout {
  const { weights, trainingVoxels, storage } = model;
  const targets = model.targetMean.length;
  const width = model.voxelStd.length;
  return {
    voxels: model.input.voxels,
    lags: model.lags.length,
    targets,
    form: storage,
    intercept: model.config.intercept,
    scale: model.voxelStd,
    unit: model.config.standardize ? standardDeviations('over the training rows') : UNITS_OF_RESPONSE,
    weights: async (columns) => takeColumns(weights, targets, columns),
    alphas: async (columns) => Float64Array.from(columns, (column) => model.alphas[column]!),
    design: trainingVoxels && designInMemory(trainingVoxels, weights.length / targets, width),
  };
}

/** @param data [rows, columns] row-major */
export function designInMemory(
  data: Float32Array | Float64Array,
  rows: number,
  columns: number,
): DesignColumns {
  return {
    rows,
    read: async (from, to) =>
      takeColumns(
        data,
        columns,
        Int32Array.from({ length: to - from }, (_, i) => from + i),
      ),
  };
}

/**
 * Responses as a decoder saw them, for decoders that do not keep them.
 *
 * @param data rows that it was trained on, prepared as it reads them: [rows, lags x voxels]
 */
export function standardisedDesign(
  data: Float32Array | Float64Array,
  model: Pick<RidgeModel, 'voxelMean' | 'voxelStd'>,
): DesignColumns {
  const { voxelMean: mean, voxelStd: std } = model;
  const width = mean.length;
  const rows = data.length / width;
  if (!Number.isInteger(rows)) {
    throw new F2iError('INVALID_ARGUMENT', 'not the voxels of the decoder', {
      field: 'responses',
      expected: `rows of ${width} values`,
      found: `${data.length} values`,
    });
  }
  return {
    rows,
    async read(from, to) {
      const block = new Float32Array(rows * (to - from));
      for (let row = 0; row < rows; row++) {
        for (let c = from; c < to; c++) {
          const value = std[c]! > 0 ? (data[row * width + c]! - mean[c]!) / std[c]! : 0;
          block[row * (to - from) + c - from] = value;
        }
      }
      return block;
    },
  };
}

function takeColumns(
  data: Float32Array | Float64Array,
  width: number,
  columns: Int32Array,
): Float32Array | Float64Array {
  const rows = data.length / width;
  const size = rows * columns.length;
  const taken = data instanceof Float64Array ? new Float64Array(size) : new Float32Array(size);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < columns.length; j++)
      taken[row * columns.length + j] = data[row * width + columns[j]!]!;
  }
  return taken;
}
