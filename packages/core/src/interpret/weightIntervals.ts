import type { Backend } from '../backend.ts';
import { pacer } from '../data/pause.ts';
import { moveTo } from '../decoders/ridge/matrices.ts';
import type { Precision } from '../decoders/ridge/precision.ts';
import { throwIfAborted } from '../error.ts';
import { hasFloat64 } from '../float64.ts';
import { add, choleskyFactor, choleskySolve, gemm } from '../ops/index.ts';
import type { Tensor } from '../tensor.ts';
import { diagonalOf, heldOutResiduals, identity } from './heldOutResiduals.ts';
import { COLUMNS_AT_ONCE } from './project.ts';
import type { DesignColumns, Readout } from './readout.ts';
import { groupsOf, multipliers } from './signs.ts';
import { invalid, targetsOf, weightMap } from './weightMap.ts';

export interface WeightIntervalOptions {
  backend: Backend;
  /** Targets whose weights are summed, as indices: one, as a rule. */
  targets: readonly number[];
  /** What is drawn together: run (session) of each training row. Each row by itself when absent. */
  groups?: ArrayLike<string | number> | undefined;
  /** Bootstrap draws; 1000 by default. */
  draws?: number | undefined;
  seed?: number | undefined;
  /** .95 by default. */
  level?: number | undefined;
  precision?: Precision | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/** Confidence intervals of a weight map, one value a voxel each. */
export interface WeightIntervals {
  readonly lower: Float32Array;
  readonly upper: Float32Array;
  readonly standardError: Float32Array;
  readonly level: number;
  readonly draws: number;
  /** Rows, or groups of them, that were drawn. */
  readonly groups: number;
  readonly units: string;
  readonly description: string;
  readonly notes: readonly string[];
}

const DRAWS = 1000;
const FEWEST_GROUPS = 5;
/** Of fewer groups intervals are too narrow, as a rule (Cameron, Gelbach and Miller 2008). */
const ENOUGH_GROUPS = 12;

/**
 * Bootstrap intervals of a weight map over training rows, or over groups of them that are not independent (runs, sessions).
 *
 * Voxels stay, and residuals are drawn (wild bootstrap: Wu 1986, Ann. Stat. 14:1261; of groups: Cameron, Gelbach and Miller
 * 2008, Rev. Econ. Stat. 90:414): targets ŷ + v e, e the residuals of rows (groups) when they are left out, v of mean 0 and
 * variance 1. Weights are linear in targets, so that **nothing is fitted again**: one factor a penalty serves all draws, and
 * deviations are Zᵀ (K + alpha I)⁻¹ (v e). The half-width is the quantile of their sizes (symmetric interval: Hall 1988,
 * J. R. Stat. Soc. B 50:35).
 *
 * They are intervals of the weights that ridge with this penalty gives on average over noise; what the penalty shrinks, and
 * how it was chosen, they do not cover. Residuals of a shrunken fit hold some signal, so that intervals err to the wide side.
 *
 * @throws INVALID_ARGUMENT without weights of training rows and their responses; for groups, draws or levels that will not do
 */
export async function weightIntervals(
  readout: Readout,
  options: WeightIntervalOptions,
): Promise<WeightIntervals> {
  const { backend, signal, draws = DRAWS, seed = 0, level = 0.95, onProgress } = options;
  const { design } = readout;
  if (readout.form !== 'dual' || !design) {
    throw invalid(
      'weights',
      'intervals need the weights of training rows, which know the residuals',
      'a decoder with them (--storage dual)',
      'weights of voxels',
    );
  }
  const rows = design.rows;
  const groups = check(rows, options);
  const columns = targetsOf(readout, options.targets);
  const precision = options.precision ?? (hasFloat64(backend) ? 'f64' : 'f32');
  const deviations = await deviationsOfRows(readout, design, columns, groups, precision, options);
  const width = readout.voxels * readout.lags;
  const summed = new Float32Array(readout.voxels * draws);
  try {
    for (let from = 0; from < width; from += COLUMNS_AT_ONCE) {
      throwIfAborted(signal, 'intervals');
      const to = Math.min(width, from + COLUMNS_AT_ONCE);
      const values = await design.read(from, to, signal);
      const [product] = await backend.compute(() => {
        const z = moveTo(backend, values, [rows, to - from], precision, { signal });
        return [gemm(z, deviations, { transA: true, signal })];
      });
      const breathe = pacer(signal, 'intervals');
      for (let column = from; column < to; column++) {
        // A voxel that never varied has no say.
        if (!(readout.scale[column]! > 0)) continue;
        const voxel = column % readout.voxels;
        for (let b = 0; b < draws; b++) summed[voxel * draws + b]! += product![(column - from) * draws + b]!;
        await breathe();
      }
      onProgress?.({ done: to, total: width });
    }
  } finally {
    deviations.dispose();
  }
  const map = await weightMap(readout, {
    backend,
    targets: options.targets,
    combine: 'sum',
    precision,
    signal,
  });
  const { halves, errors } = await spreadOf(summed, readout.voxels, draws, level, signal);
  const what = options.groups ? 'groups of training rows' : 'training rows';
  return {
    lower: map.values.map((value, v) => value - halves[v]!),
    upper: map.values.map((value, v) => value + halves[v]!),
    standardError: errors,
    level,
    draws,
    groups: groups.length,
    units: map.units,
    description: `${100 * level} % interval of the weight over noise, by a wild bootstrap of ${draws} draws over ${groups.length} ${what} (seed ${seed}); voxels and penalty are taken as they are, and shrinkage is not undone`,
    notes:
      groups.length < ENOUGH_GROUPS
        ? [`intervals over ${groups.length} groups are rough: they may be too narrow`]
        : [],
  };
}

/** What draws add to the weights of training rows, [rows, draws], on the device. */
async function deviationsOfRows(
  readout: Readout,
  design: DesignColumns,
  columns: Int32Array,
  groups: readonly (readonly number[])[],
  precision: Precision,
  { backend, draws = DRAWS, seed = 0, signal }: WeightIntervalOptions,
): Promise<Tensor> {
  const { rows } = design;
  const ops = { signal };
  const signs = multipliers(rows, groups, draws, seed);
  const weights = await readout.weights(columns, signal);
  const alphas = await readout.alphas(columns, signal);
  let gram = await gramOf(readout, design, precision, backend, signal);
  let sum: Tensor | undefined;
  try {
    let mean: number | undefined;
    if (readout.intercept) {
      // As large as K is elsewhere; rows of Z are centred, so that no weight hears of it.
      mean = (await diagonalOf(gram, ops)).reduce((all, value) => all + value / rows, 0);
      const before = gram;
      gram = add(before, mean / rows, ops);
      before.dispose();
    }
    for (const alpha of new Set(alphas)) {
      throwIfAborted(signal, 'intervals');
      const own = new Float64Array(rows);
      for (let row = 0; row < rows; row++) {
        for (let t = 0; t < columns.length; t++)
          if (alphas[t] === alpha) own[row]! += weights[row * columns.length + t]!;
      }
      // Weights of centred targets sum to 0, but for rounding, which a small penalty would make much of.
      const off = mean === undefined ? 0 : own.reduce((all, value) => all + value, 0) / rows;
      if (off !== 0) for (let row = 0; row < rows; row++) own[row]! -= off;
      const inverse = backend.scope(() =>
        choleskySolve(choleskyFactor(gram, { ...ops, shift: alpha }), identity(gram), ops),
      );
      try {
        const residuals = await heldOutResiduals(inverse, own, alpha, groups, mean, ops);
        const drawn = signs.map((sign, i) => sign * residuals[Math.floor(i / draws)]!);
        const before: Tensor | undefined = sum;
        sum = backend.scope(() => {
          const change = gemm(inverse, moveTo(backend, drawn, [rows, draws], precision, ops), ops);
          return before ? add(before, change, ops) : change;
        });
        before?.dispose();
      } finally {
        inverse.dispose();
      }
    }
    return sum!;
  } catch (error) {
    sum?.dispose();
    throw error;
  } finally {
    gram.dispose();
  }
}

/** K = Z Zᵀ, from blocks of columns. */
async function gramOf(
  { voxels, lags }: Readout,
  design: DesignColumns,
  precision: Precision,
  backend: Backend,
  signal: AbortSignal | undefined,
): Promise<Tensor> {
  let sum: Tensor | undefined;
  try {
    for (let from = 0; from < voxels * lags; from += COLUMNS_AT_ONCE) {
      throwIfAborted(signal, 'intervals');
      const to = Math.min(voxels * lags, from + COLUMNS_AT_ONCE);
      const values = await design.read(from, to, signal);
      const before: Tensor | undefined = sum;
      sum = backend.scope(() => {
        const z = moveTo(backend, values, [design.rows, to - from], precision, { signal });
        return gemm(z, z, { transB: true, c: before, signal });
      });
      before?.dispose();
    }
    return sum!;
  } catch (error) {
    sum?.dispose();
    throw error;
  }
}

/** Quantile of the sizes of deviations, and their root mean square, of each voxel. */
async function spreadOf(
  deviations: Float32Array,
  voxels: number,
  draws: number,
  level: number,
  signal: AbortSignal | undefined,
): Promise<{ halves: Float32Array; errors: Float32Array }> {
  const halves = new Float32Array(voxels);
  const errors = new Float32Array(voxels);
  const breathe = pacer(signal, 'intervals');
  // The smallest order statistic that is exceeded by no more than the share (1 - level) of draws and the data themselves.
  const place = Math.min(draws, Math.ceil(level * (draws + 1))) - 1;
  for (let v = 0; v < voxels; v++) {
    const sizes = deviations
      .subarray(v * draws, (v + 1) * draws)
      .map(Math.abs)
      .sort();
    halves[v] = sizes[place]!;
    errors[v] = Math.sqrt(sizes.reduce((sum, size) => sum + size ** 2, 0) / draws);
    await breathe();
  }
  return { halves, errors };
}

function check(
  rows: number,
  { groups: labels, draws = DRAWS, level = 0.95, targets }: WeightIntervalOptions,
): number[][] {
  if (targets.length === 0) throw invalid('targets', 'no target to map', 'one or more', 'none');
  if (labels && labels.length !== rows) {
    throw invalid('groups', 'one group for each training row', `${rows}`, `${labels.length}`);
  }
  if (!(Number.isInteger(draws) && draws >= 100 && draws <= 1e5)) {
    throw invalid('draws', 'intervals need a sensible number of draws', '100 to 100000', `${draws}`);
  }
  if (!(level > 0 && level < 1)) throw invalid('level', 'not a level', 'between 0 and 1', `${level}`);
  const groups = groupsOf(rows, labels);
  if (groups.length < FEWEST_GROUPS) {
    const found = `${groups.length}`;
    throw invalid('groups', 'too few groups to tell their spread', `at least ${FEWEST_GROUPS}`, found);
  }
  return groups;
}
