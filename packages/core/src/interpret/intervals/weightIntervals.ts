import type { Backend } from '../../backend.ts';
import { largestEigenvalueOf, type Precision } from '../../decoders/ridge/precision.ts';
import { throwIfAborted } from '../../error.ts';
import { hasFloat64 } from '../../float64.ts';
import { choleskyFactor } from '../../ops/index.ts';
import type { Readout } from '../readout.ts';
import { invalid, targetsOf, unitOfWeights } from '../weightMap.ts';
import { checkCondition } from './condition.ts';
import { groupsOf } from './draws.ts';
import { drawWeights } from './drawWeights.ts';
import { inverseOf, rowEquations } from './equations.ts';
import { heldOutResiduals } from './heldOutResiduals.ts';
import { planIntervals } from './plan.ts';

export interface WeightIntervalOptions {
  backend: Backend;
  /** Targets, as indices: each has intervals of its own. */
  targets: readonly number[];
  /** What is drawn together: run (session) of each training row. Each row by itself when absent. */
  groups?: ArrayLike<string | number> | undefined;
  /** Bootstrap draws; 1000 by default. */
  draws?: number | undefined;
  seed?: number | undefined;
  /** .95 by default. */
  level?: number | undefined;
  precision?: Precision | undefined;
  /** Ceiling of what intervals take, in bytes, on the device and beside it; none by default. Draws are held in blocks. */
  memory?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/** Confidence intervals of the weights of one target, one value a voxel each: summed over lags. */
export interface TargetIntervals {
  readonly target: number;
  /** The weights themselves. */
  readonly weights: Float32Array;
  readonly lower: Float32Array;
  readonly upper: Float32Array;
  readonly standardError: Float32Array;
}

/** Intervals of weight maps, and how they were made. */
export interface WeightIntervals {
  /** In the order in which they were asked for. */
  readonly targets: readonly TargetIntervals[];
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
 * Bootstrap intervals of weight maps over training rows, or over groups of them that are not independent (runs, sessions).
 *
 * Voxels stay, and residuals are drawn (wild bootstrap: Wu 1986, Ann. Stat. 14:1261; of groups: Cameron, Gelbach and Miller
 * 2008, Rev. Econ. Stat. 90:414): targets ŷ + v e, e the residuals of rows (groups) when they are left out, v of mean 0 and
 * variance 1. Weights are linear in targets, so that **nothing is fitted again**: one factor a penalty serves all draws and
 * all of its targets, and deviations are Zᵀ (K + alpha I)⁻¹ (v e). The half-width is the quantile of their sizes.
 *
 * They are intervals of the weights that ridge with this penalty gives on average over noise; what the penalty shrinks, and
 * how it was chosen, they do not cover. Residuals of a shrunken fit hold some signal, so that intervals err to the wide side.
 *
 * Memory is planned before anything is read: two matrices of rows x rows (three while the equations are made), and the draws
 * of some voxels at a time.
 *
 * @throws INVALID_ARGUMENT without weights of training rows and their responses; for groups, draws, levels or memory that
 *   will not do; OUT_OF_MEMORY with both numbers; UNSUPPORTED where the condition number leaves nothing but rounding of the residuals,
 *   as float32 does where a penalty is tiny and voxels are fewer than rows
 */
export async function weightIntervals(
  readout: Readout,
  options: WeightIntervalOptions,
): Promise<WeightIntervals> {
  const { backend, signal, draws = DRAWS, seed = 0, level = 0.95, onProgress } = options;
  const { design, voxels } = readout;
  if (readout.form !== 'dual' || !design) {
    throw invalid(
      'weights',
      'intervals need the weights of training rows, which know the residuals',
      'a decoder with them (--storage dual)',
      'weights of voxels',
    );
  }
  const { rows } = design;
  const groups = check(rows, options);
  const columns = targetsOf(readout, options.targets);
  const precision = options.precision ?? (hasFloat64(backend) ? 'f64' : 'f32');
  const largestGroup = groups.reduce((most, { length }) => Math.max(most, length), 0);
  const sizes = {
    rows,
    voxels,
    largestGroup,
    groups: groups.length,
    targets: columns.length,
    draws,
    precision,
  };
  const plan = planIntervals(sizes, options.memory);

  const ops = { signal };
  const alphas = await readout.alphas(columns, signal);
  const all = await readout.weights(columns, signal);
  const targets = Array.from(columns, (target) => emptyIntervals(target, voxels));
  const { matrix, mean } = await rowEquations(readout, design, backend, precision, ops);
  try {
    const largest = await largestEigenvalueOf(matrix, ops);
    let before = 0;
    for (const alpha of new Set(alphas)) {
      throwIfAborted(signal, 'intervals');
      const places = [...columns.keys()].filter((place) => alphas[place] === alpha);
      const weights = places.map((place) =>
        withoutRounding(
          Float64Array.from({ length: rows }, (_, row) => all[row * columns.length + place]!),
          readout.intercept,
        ),
      );
      await checkCondition(matrix, largest, alpha, ops);
      const factor = backend.scope(() => choleskyFactor(matrix, { ...ops, shift: alpha }));
      try {
        const inverse = inverseOf(factor, ops);
        const residuals = await heldOutResiduals({ inverse, weights, alpha, mean }, groups, signal);
        const set = (place: number, voxel: number, weight: number, half: number, error: number) => {
          const own = targets[places[place]!]!;
          own.weights[voxel] = weight;
          own.lower[voxel] = weight - half;
          own.upper[voxel] = weight + half;
          own.standardError[voxel] = error;
        };
        const onVoxels = (count: number) =>
          onProgress?.({ done: before + count * places.length, total: voxels * columns.length });
        const settings = { groups, draws, seed, level, precision, plan };
        await drawWeights(readout, design, { factor, weights, residuals, set }, settings, onVoxels, ops);
        before += voxels * places.length;
      } finally {
        factor.dispose();
      }
    }
  } finally {
    matrix.dispose();
  }
  const what = options.groups ? 'groups of training rows' : 'training rows';
  return {
    targets,
    level,
    draws,
    groups: groups.length,
    units: unitOfWeights(readout),
    description: `${100 * level} % interval of the weight over noise, by a wild bootstrap of ${draws} draws over ${groups.length} ${what} (seed ${seed}); voxels and penalty are taken as they are, and shrinkage is not undone`,
    notes:
      groups.length < ENOUGH_GROUPS
        ? [`intervals over ${groups.length} groups are rough: they may be too narrow`]
        : [],
  };
}

const emptyIntervals = (target: number, voxels: number): TargetIntervals => ({
  target,
  weights: new Float32Array(voxels),
  lower: new Float32Array(voxels),
  upper: new Float32Array(voxels),
  standardError: new Float32Array(voxels),
});

/** Weights of centred targets sum to 0, but for rounding, which a small penalty would make much of. */
function withoutRounding(weights: Float64Array, isCentred: boolean): Float64Array {
  if (!isCentred) return weights;
  const off = weights.reduce((sum, value) => sum + value, 0) / weights.length;
  return weights.map((value) => value - off);
}

function check(
  rows: number,
  { groups: labels, draws = DRAWS, level = 0.95, targets, memory }: WeightIntervalOptions,
): number[][] {
  if (targets.length === 0) throw invalid('targets', 'no target to map', 'one or more', 'none');
  if (labels && labels.length !== rows) {
    throw invalid('groups', 'one group for each training row', `${rows}`, `${labels.length}`);
  }
  if (!(Number.isInteger(draws) && draws >= 100 && draws <= 1e5)) {
    throw invalid('draws', 'intervals need a sensible number of draws', '100 to 100000', `${draws}`);
  }
  if (!(level > 0 && level < 1)) throw invalid('level', 'not a level', 'between 0 and 1', `${level}`);
  if (memory !== undefined && !(memory >= 0)) {
    throw invalid('memory', 'not a ceiling', 'a number of bytes', `${memory}`);
  }
  const groups = groupsOf(rows, labels);
  if (groups.length < FEWEST_GROUPS) {
    const found = `${groups.length}`;
    throw invalid('groups', 'too few groups to tell their spread', `at least ${FEWEST_GROUPS}`, found);
  }
  return groups;
}
