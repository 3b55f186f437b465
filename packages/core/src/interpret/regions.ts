import type { Backend } from '../backend.ts';
import type { Precision } from '../decoders/ridge/precision.ts';
import { allColumns, type TargetSource } from '../decoders/ridge/targets.ts';
import { F2iError, throwIfAborted } from '../error.ts';
import { hasFloat64 } from '../float64.ts';
import { sub } from '../ops/index.ts';
import type { Rows } from '../rows.ts';
import { type FoldGram, foldGram } from './foldGram.ts';
import { type NestedFold, type PenaltyOptions, predictHeldOut } from './heldOut.ts';

/** Regions of interest by name, each as distinct columns. They may overlap and need not cover everything. */
export type Regions = ReadonlyMap<string, Int32Array>;

/** Which voxels a decoder had: all; those of one region alone; or all but those. */
export type RegionVoxels = 'all' | 'alone' | 'without';

export interface RegionPredictions {
  /** Undefined for all voxels. */
  readonly region: string | undefined;
  readonly voxels: RegionVoxels;
  /** How many they are. */
  readonly count: number;
  /** Held-out predictions, [rows, targets]; zeros for rows that no fold holds out. Valid until the next are asked for. */
  readonly predictions: Rows & { readonly data: Float32Array };
}

export interface RegionOptions extends PenaltyOptions {
  backend: Backend;
  /** Divides each voxel by its standard deviation over the training rows of the fold (default). */
  standardize?: boolean | undefined;
  precision?: Precision | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/**
 * Held-out predictions of ridge decoders that have one region alone, and of decoders that have all voxels but those of one
 * region. Costs one Gram matrix a region and fold, however many decoders: the Gram matrix of all voxels is the sum of
 * those of its parts, and without a region it is that of all less the region's. Everything is fitted on the training rows
 * of a fold, the penalty by its inner folds, for each decoder by itself.
 *
 * @param voxels source of columns [rows, voxels]
 * @param targets [rows, targets]
 * @returns all voxels first, then each region alone and left out; a region that holds every voxel cannot be left out
 * @throws INVALID_ARGUMENT for regions that are empty or have columns that there are not; CANCELLED
 */
export async function* regionPredictions(
  voxels: TargetSource,
  targets: Rows,
  regions: Regions,
  folds: readonly NestedFold[],
  options: RegionOptions,
): AsyncGenerator<RegionPredictions, void, void> {
  const { backend, signal } = options;
  const precision = options.precision ?? (hasFloat64(backend) ? 'f64' : 'f32');
  const [rows, width] = [voxels.trials, targets.data.length / voxels.trials];
  check(voxels, targets, regions, folds, options);
  const every = allColumns(voxels.count);
  const wholes: FoldGram[] = [];
  const total = folds.length * (1 + 2 * regions.size);
  let done = 0;

  const predict = async (gramOf: (fold: NestedFold, f: number) => Promise<FoldGram>, keep: boolean) => {
    const data = new Float32Array(rows * width);
    for (const [f, fold] of folds.entries()) {
      throwIfAborted(signal, 'decoding from regions');
      const equations = await gramOf(fold, f);
      try {
        await predictHeldOut(equations, rowsOf(targets, width, fold.train), fold, options, {
          signal,
          place: (columns, values) => {
            for (let i = 0; i < fold.test.length; i++) {
              for (let j = 0; j < columns.length; j++) {
                data[fold.test[i]! * width + columns[j]!] = values[i * columns.length + j]!;
              }
            }
          },
        });
      } finally {
        if (!keep) free(equations);
      }
      options.onProgress?.({ done: ++done, total });
    }
    return { data, shape: [rows, width] };
  };
  const gramOf = (columns: Int32Array, fold: NestedFold) =>
    foldGram(voxels, columns, fold, { ...options, precision });

  try {
    const whole = await predict(async (fold) => {
      const equations = await gramOf(every, fold);
      wholes.push(equations);
      return equations;
    }, true);
    yield { region: undefined, voxels: 'all', count: every.length, predictions: whole };

    for (const [region, columns] of regions) {
      const parts: FoldGram[] = [];
      try {
        const alone = await predict(async (fold) => {
          const equations = await gramOf(columns, fold);
          parts.push(equations);
          return equations;
        }, true);
        yield { region, voxels: 'alone', count: columns.length, predictions: alone };
        if (columns.length === voxels.count) continue;
        const without = await predict(
          async (fold, f) => difference(wholes[f]!, parts[f]!, fold, signal),
          false,
        );
        yield { region, voxels: 'without', count: voxels.count - columns.length, predictions: without };
      } finally {
        for (const part of parts) free(part);
      }
    }
  } finally {
    for (const whole of wholes) free(whole);
  }
}

/** What a region does to a score. */
export interface RegionContribution {
  readonly region: string;
  readonly voxels: number;
  /** Score of the region alone, and of all voxels but its own. */
  readonly alone: number;
  /** Undefined where the region holds every voxel. */
  readonly without: number | undefined;
  /** Score of all voxels less that without the region: what no other voxel tells. */
  readonly unique: number | undefined;
  /** Score of the region alone (above chance) less what is unique to it: what others tell as well. */
  readonly shared: number | undefined;
}

/**
 * Unique and shared contributions of regions to a score (commonality analysis, Newton and Spurrell 1967, Appl. Stat. 16:51;
 * for variance explained they add up to what the region explains; for other scores they are differences of scores).
 *
 * @param chance of the score: 0 for correlations and variance explained, 1/2 for two-way identification
 */
export function regionContribution(
  region: string,
  voxels: number,
  scores: { readonly all: number; readonly alone: number; readonly without: number | undefined },
  chance: number,
): RegionContribution {
  const { all, alone, without } = scores;
  const unique = without === undefined ? undefined : all - without;
  return {
    region,
    voxels,
    alone,
    without,
    unique,
    shared: unique === undefined ? undefined : alone - chance - unique,
  };
}

/** Equations of all voxels but those of a region. */
function difference(
  whole: FoldGram,
  part: FoldGram,
  { train }: NestedFold,
  signal: AbortSignal | undefined,
): FoldGram {
  const ops = { signal };
  const [matrix, cross] = whole.matrix.backend.scope(() => [
    sub(whole.matrix, part.matrix, ops),
    sub(whole.cross, part.cross, ops),
  ]);
  const trace = whole.trace - part.trace;
  const varying = whole.varying - part.varying;
  const meanEigenvalue = trace / Math.max(1, Math.min(train.length, varying));
  return { matrix: matrix!, cross: cross!, trace, varying, meanEigenvalue };
}

function free({ matrix, cross }: FoldGram): void {
  matrix.dispose();
  cross.dispose();
}

/** Some rows of the targets, as a source. */
function rowsOf({ data }: Rows, width: number, rows: ArrayLike<number>): TargetSource {
  return {
    trials: rows.length,
    count: width,
    async read(columns) {
      const size = rows.length * columns.length;
      const block = data instanceof Float64Array ? new Float64Array(size) : new Float32Array(size);
      for (let i = 0; i < rows.length; i++) {
        for (let j = 0; j < columns.length; j++)
          block[i * columns.length + j] = data[rows[i]! * width + columns[j]!]!;
      }
      return block;
    },
  };
}

function check(
  voxels: TargetSource,
  targets: Rows,
  regions: Regions,
  folds: readonly NestedFold[],
  { alphas }: RegionOptions,
): void {
  if (targets.shape[0] !== voxels.trials) {
    throw invalid(
      'targets',
      'voxels and targets differ in their number of rows',
      `${voxels.trials}`,
      `${targets.shape[0]}`,
    );
  }
  if (regions.size === 0) throw invalid('regions', 'no regions', 'one or more', 'none');
  for (const [name, columns] of regions) {
    const field = `regions.${name}`;
    if (columns.length === 0) throw invalid(field, 'a region is empty', 'one voxel or more', 'none');
    const seen = new Set<number>();
    for (const column of columns) {
      if (column < 0 || column >= voxels.count || seen.has(column)) {
        throw invalid(field, 'not columns of the voxels', `0 to ${voxels.count - 1}, each once`, `${column}`);
      }
      seen.add(column);
    }
  }
  if (folds.length === 0) throw invalid('folds', 'nothing is held out', 'one fold or more', 'none');
  if (typeof alphas !== 'number' && alphas?.length !== 1 && folds.some(({ inner }) => !inner)) {
    throw invalid('folds.inner', 'several penalties need folds to choose by', 'inner folds', 'none');
  }
}

function invalid(field: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
