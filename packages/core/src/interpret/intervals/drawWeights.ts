import { pacer } from '../../data/pause.ts';
import { moveTo } from '../../decoders/ridge/matrices.ts';
import { throwIfAborted } from '../../error.ts';
import { choleskySolve, gemm, mul, type OpOptions } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import type { DesignColumns, Readout } from '../readout.ts';
import { multipliers } from './draws.ts';
import type { IntervalPlan } from './plan.ts';
import type { DrawSettings } from './settings.ts';
import { spreadOf } from './spread.ts';

/** Targets of one penalty, and where their intervals go. */
export interface PenaltyTargets {
  /** Of (K + alpha I), [rows, rows]. */
  readonly factor: Tensor;
  /** Dual weights [rows] of each target, and its residuals when rows (groups) are left out. */
  readonly weights: readonly Float64Array[];
  readonly residuals: readonly Float64Array[];
  /** What a voxel comes to, by the place of its target. */
  set(target: number, voxel: number, weight: number, half: number, error: number): void;
}

/** Settings of the draws, and how many are held at a time. */
export interface PlannedDraws extends DrawSettings {
  readonly plan: IntervalPlan;
}

/**
 * Draws the weights of all voxels, in blocks: deviations are Zᵀ (K + alpha I)⁻¹ (v e), linear in the multipliers v. What each
 * group of rows adds to a voxel (its influence) is made once; a draw is a sum of influences, each times its multiplier.
 *
 * @param onVoxels told how many voxels are done
 */
export async function drawWeights(
  readout: Readout,
  design: DesignColumns,
  targets: PenaltyTargets,
  settings: PlannedDraws,
  onVoxels: (count: number) => void,
  options: OpOptions,
): Promise<void> {
  const { factor, weights } = targets;
  const { groups, precision, plan } = settings;
  const { backend } = factor;
  const { rows } = design;
  const upload = (values: Float64Array, shape: readonly number[]) =>
    backend.scope(() => moveTo(backend, values, shape, precision, options));
  const c = upload(asColumns(weights, rows), [rows, weights.length]);
  const isSingle = groups.length === rows;
  const members = isSingle ? undefined : upload(membersOf(groups, rows), [rows, groups.length]);
  try {
    for (let from = 0; from < readout.voxels; from += plan.voxels) {
      throwIfAborted(options.signal, 'intervals');
      const to = Math.min(readout.voxels, from + plan.voxels);
      const values = await readVoxels(readout, design, from, to, options.signal);
      const [solved, product] = backend.scope(() => {
        const z = moveTo(backend, values, [rows, to - from], precision, options);
        return [choleskySolve(factor, z, options), gemm(z, c, { ...options, transA: true })] as const;
      });
      try {
        const own = await product.download();
        for (let first = 0; first < weights.length; first += plan.targets) {
          const some = [first, Math.min(weights.length, first + plan.targets)] as const;
          await drawBlock(solved, members, some, targets, settings, options, (target, v, half, error) =>
            targets.set(target, from + v, own[v * weights.length + target]!, half, error),
          );
        }
      } finally {
        solved.dispose();
        product.dispose();
      }
      onVoxels(to);
    }
  } finally {
    c.dispose();
    members?.dispose();
  }
}

/** All draws of some voxels and targets: no more of them are ever held. */
async function drawBlock(
  solved: Tensor,
  members: Tensor | undefined,
  [first, last]: readonly [number, number],
  { residuals }: PenaltyTargets,
  { groups, draws, seed, level, precision, plan }: PlannedDraws,
  options: OpOptions,
  set: (target: number, voxel: number, half: number, error: number) => void,
): Promise<void> {
  const { backend } = solved;
  const [rows, count] = solved.shape as [number, number];
  const breathe = pacer(options.signal, 'intervals');
  const influences = residuals.slice(first, last).map((residual) =>
    backend.scope(() => {
      const scaled = mul(solved, moveTo(backend, residual.slice(), [rows, 1], precision, options), options);
      return members ? gemm(members, scaled, { ...options, transA: true }) : scaled;
    }),
  );
  try {
    const drawn = new Float32Array((last - first) * count * draws);
    const blocks = multipliers(groups.length, members === undefined, { draws, seed, width: plan.draws });
    for (const { from, to, values } of blocks) {
      const width = to - from;
      const products = await backend.compute(() => {
        const v = moveTo(backend, values, [width, groups.length], precision, options);
        return influences.map((influence) => gemm(influence, v, { ...options, transA: true, transB: true }));
      });
      for (const [t, product] of products.entries()) {
        for (let v = 0; v < count; v++) {
          const part = product.subarray(v * width, (v + 1) * width) as Float32Array | Float64Array;
          drawn.set(part, (t * count + v) * draws + from);
        }
        await breathe();
      }
    }
    for (let i = 0; i < (last - first) * count; i++) {
      const { half, error } = spreadOf(drawn.subarray(i * draws, (i + 1) * draws), level);
      set(first + Math.floor(i / count), i % count, half, error);
      await breathe();
    }
  } finally {
    for (const influence of influences) influence.dispose();
  }
}

/** Voxels [from, to) of the training rows, their lags added up: [rows, to - from]. A voxel that never varied has no say. */
async function readVoxels(
  { voxels, lags, scale }: Readout,
  design: DesignColumns,
  from: number,
  to: number,
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const width = to - from;
  const sums = new Float64Array(design.rows * width);
  for (let lag = 0; lag < lags; lag++) {
    const first = lag * voxels + from;
    const values = await design.read(first, first + width, signal);
    for (let v = 0; v < width; v++) {
      if (!(scale[first + v]! > 0)) continue;
      for (let i = v; i < sums.length; i += width) sums[i]! += values[i]!;
    }
  }
  return sums;
}

/** Lists of numbers side by side, [rows, lists]. */
function asColumns(lists: readonly Float64Array[], rows: number): Float64Array {
  return Float64Array.from(
    { length: rows * lists.length },
    (_, i) => lists[i % lists.length]![Math.floor(i / lists.length)]!,
  );
}

/** 1 where a row is in a group, [rows, groups]. */
function membersOf(groups: readonly (readonly number[])[], rows: number): Float64Array {
  const members = new Float64Array(rows * groups.length);
  for (const [g, group] of groups.entries()) for (const row of group) members[row * groups.length + g] = 1;
  return members;
}
