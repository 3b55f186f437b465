import { largestEigenvalueOf } from '../../decoders/ridge/precision.ts';
import { throwIfAborted } from '../../error.ts';
import { choleskyFactor, type OpOptions } from '../../ops/index.ts';
import type { DesignColumns, Readout } from '../readout.ts';
import { invalid, targetsOf, unitOfWeights } from '../weightMap.ts';
import { checkCondition } from './condition.ts';
import { drawWeights, type PlannedDraws } from './drawWeights.ts';
import { inverseOf, type RowEquations, rowEquations } from './equations.ts';
import { heldOutResiduals } from './heldOutResiduals.ts';
import { type IntervalPlan, planIntervals } from './plan.ts';
import { type DrawSettings, drawSettings } from './settings.ts';
import type { TargetIntervals, WeightIntervalOptions, WeightIntervals } from './types.ts';

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
  const { backend, signal, onProgress } = options;
  const { voxels } = readout;
  const design = trainingRowsOf(readout);
  const settings = drawSettings(design.rows, options);
  const columns = targetsOf(readout, options.targets);
  const plan = planOf(readout, design, columns.length, settings, options.memory);

  const ops = { signal };
  const alphas = await readout.alphas(columns, signal);
  const weights = await readout.weights(columns, signal);
  const targets = Array.from(columns, (target) => emptyIntervals(target, voxels));
  const equations = await rowEquations(readout, design, backend, settings.precision, ops);
  try {
    const largest = await largestEigenvalueOf(equations.matrix, ops);
    let before = 0;
    for (const alpha of new Set(alphas)) {
      throwIfAborted(signal, 'intervals');
      const places = [...columns.keys()].filter((place) => alphas[place] === alpha);
      const penalised: PenalisedTargets = {
        alpha,
        weights: places.map((place) => dualWeights(weights, place, columns.length, readout.intercept)),
        intervals: places.map((place) => targets[place]!),
      };
      const onVoxels = (count: number) =>
        onProgress?.({ done: before + count * places.length, total: voxels * columns.length });
      const draws = { ...settings, plan };
      await checkCondition(equations.matrix, largest, alpha, ops);
      await fillIntervals(penalised, { readout, design, equations }, draws, onVoxels, ops);
      before += voxels * places.length;
    }
  } finally {
    equations.matrix.dispose();
  }
  return { targets, units: unitOfWeights(readout), ...inWords(settings, options.groups !== undefined) };
}

/** @throws INVALID_ARGUMENT for weights of voxels: their residuals are not kept */
function trainingRowsOf({ form, design }: Readout): DesignColumns {
  if (form === 'dual' && design) return design;
  throw invalid(
    'weights',
    'intervals need the weights of training rows, which know the residuals',
    'a decoder with them (--storage dual)',
    'weights of voxels',
  );
}

function planOf(
  { voxels }: Readout,
  { rows }: DesignColumns,
  targets: number,
  { groups, draws, precision }: DrawSettings,
  memory: number | undefined,
): IntervalPlan {
  const largestGroup = groups.reduce((most, { length }) => Math.max(most, length), 0);
  const sizes = { rows, voxels, largestGroup, groups: groups.length, targets, draws, precision };
  return planIntervals(sizes, memory);
}

const emptyIntervals = (target: number, voxels: number): TargetIntervals => ({
  target,
  weights: new Float32Array(voxels),
  lower: new Float32Array(voxels),
  upper: new Float32Array(voxels),
  standardError: new Float32Array(voxels),
});

/** Weights of training rows of one of some targets; `all` is [rows, count]. */
function dualWeights(
  all: Float32Array | Float64Array,
  place: number,
  count: number,
  isCentred: boolean,
): Float64Array {
  const weights = Float64Array.from({ length: all.length / count }, (_, row) => all[row * count + place]!);
  if (!isCentred) return weights;
  // They sum to 0, but for rounding, which a small penalty would make much of.
  const off = weights.reduce((sum, value) => sum + value, 0) / weights.length;
  return weights.map((value) => value - off);
}

/** Targets that share a penalty, and so a factor. */
interface PenalisedTargets {
  readonly alpha: number;
  /** Dual weights of each target, [rows]. */
  readonly weights: readonly Float64Array[];
  /** Where each target's intervals go. */
  readonly intervals: readonly TargetIntervals[];
}

/** What all penalties share. */
interface TrainingRows {
  readonly readout: Readout;
  readonly design: DesignColumns;
  readonly equations: RowEquations;
}

/** Intervals of the targets of one penalty: its factor gives residuals of rows that are left out, and draws of all weights. */
async function fillIntervals(
  { alpha, weights, intervals }: PenalisedTargets,
  { readout, design, equations: { matrix, mean } }: TrainingRows,
  settings: PlannedDraws,
  onVoxels: (count: number) => void,
  ops: OpOptions,
): Promise<void> {
  const factor = matrix.backend.scope(() => choleskyFactor(matrix, { ...ops, shift: alpha }));
  try {
    const inverse = inverseOf(factor, ops);
    const fitted = { inverse, weights, alpha, mean };
    const residuals = await heldOutResiduals(fitted, settings.groups, ops.signal);
    const set = (place: number, voxel: number, weight: number, half: number, error: number) => {
      const own = intervals[place]!;
      own.weights[voxel] = weight;
      own.lower[voxel] = weight - half;
      own.upper[voxel] = weight + half;
      own.standardError[voxel] = error;
    };
    await drawWeights(readout, design, { factor, weights, residuals, set }, settings, onVoxels, ops);
  } finally {
    factor.dispose();
  }
}

/** How intervals were made, for people. */
function inWords(
  { groups, draws, seed, level }: DrawSettings,
  areGrouped: boolean,
): Pick<WeightIntervals, 'level' | 'draws' | 'groups' | 'description' | 'notes'> {
  const count = groups.length;
  const what = areGrouped ? 'groups of training rows' : 'training rows';
  return {
    level,
    draws,
    groups: count,
    description: `${100 * level} % interval of the weight over noise, by a wild bootstrap of ${draws} draws over ${count} ${what} (seed ${seed}); voxels and penalty are taken as they are, and shrinkage is not undone`,
    notes: count < ENOUGH_GROUPS ? [`intervals over ${count} groups are rough: they may be too narrow`] : [],
  };
}
