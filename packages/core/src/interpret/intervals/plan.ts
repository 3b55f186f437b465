import { bytesInWords } from '../../bytesInWords.ts';
import { bytesPerElement } from '../../dtype.ts';
import { F2iError } from '../../error.ts';
import { COLUMNS_AT_ONCE } from '../project.ts';
import { DIAGONAL_BLOCK } from './heldOutResiduals.ts';

export interface IntervalSizes {
  /** Training rows, and how many of them are in the largest group. */
  readonly rows: number;
  readonly largestGroup: number;
  readonly groups: number;
  readonly voxels: number;
  readonly targets: number;
  readonly draws: number;
  readonly precision: 'f32' | 'f64';
}

/** What is held at a time. */
export interface IntervalPlan {
  readonly voxels: number;
  /** Targets whose draws are made together. */
  readonly targets: number;
  /** Draws of a product. */
  readonly draws: number;
  /** All that intervals take, on the device and beside it. */
  readonly bytes: number;
}

/**
 * Draws of so many bytes are held: all of those of some voxels, never those of all. The same whatever memory there is: products
 * of another width round otherwise, and the same command should give the same digits. A thousand draws of 16 targets fit.
 */
const DRAW_BYTES = 32 * 2 ** 20;
const MOST_VOXELS = 512;
/** What each row adds to each voxel is held for so many targets. */
const INFLUENCE_BYTES = 128 * 2 ** 20;
const MULTIPLIER_BYTES = 16 * 2 ** 20;
/** What a product comes to: of few groups, multipliers alone would allow for all draws at once. */
const PRODUCT_BYTES = 32 * 2 ** 20;
const FEWEST_DRAWS = 16;
/** Arrays that nothing holds any more, but that the collector or the allocator has not given back: measured. */
const UNCOLLECTED = 128 * 2 ** 20;

/**
 * Plans the memory of intervals before they begin. Blocks depend on the sizes alone, never on the memory that is there.
 *
 * @param memory ceiling in bytes; none when absent
 * @throws OUT_OF_MEMORY with both numbers where they do not fit
 */
export function planIntervals(sizes: IntervalSizes, memory: number | undefined): IntervalPlan {
  const plan = planOf(sizes);
  if (memory !== undefined && plan.bytes > memory) throw refused(sizes, plan.bytes, memory);
  return plan;
}

function planOf(sizes: IntervalSizes): IntervalPlan {
  const { rows, largestGroup, groups, draws: all, precision } = sizes;
  const size = bytesPerElement(precision);
  const voxels = Math.max(1, Math.min(sizes.voxels, MOST_VOXELS, Math.floor(DRAW_BYTES / (4 * all))));
  const influence = groups * voxels * size;
  const targets = Math.max(
    1,
    Math.min(
      sizes.targets,
      Math.floor(DRAW_BYTES / (4 * all * voxels)),
      Math.floor(INFLUENCE_BYTES / influence),
    ),
  );
  const product = targets * voxels * size;
  const atOnce = Math.floor(Math.min(MULTIPLIER_BYTES / (8 * groups), PRODUCT_BYTES / product));
  const draws = Math.min(all, Math.max(FEWEST_DRAWS, atOnce));

  const matrix = rows * rows * size;
  const results = sizes.targets * sizes.voxels * 4 * 4;
  const weights = rows * sizes.targets * 8 * 2;
  // The sum so far, the part of a block, and their sum; columns as they were read and on the device.
  const equations = 3 * matrix + rows * Math.min(COLUMNS_AT_ONCE, sizes.voxels) * (8 + size);
  // Right-hand sides on the host and on the device, the solution, and what is looked up in it.
  const columns = Math.max(largestGroup, Math.min(rows, DIAGONAL_BLOCK));
  const residuals = 2 * matrix + columns * (rows * 3 + columns * 2) * size;
  // Which rows are in which group; voxels as they were read and on the device, their solution, and that times the residuals
  // of a target; multipliers and products on the host and on the device.
  const drawing =
    2 * matrix +
    (groups < rows ? rows * groups * (8 + size) : 0) +
    rows * voxels * (8 + 3 * size) +
    targets * influence +
    4 * targets * voxels * all +
    draws * (groups * (8 + size) + 2 * product);
  return {
    voxels,
    targets,
    draws,
    bytes: UNCOLLECTED + results + weights + Math.max(equations, residuals, drawing),
  };
}

function refused({ rows, voxels, draws }: IntervalSizes, needed: number, memory: number): F2iError {
  return new F2iError(
    'OUT_OF_MEMORY',
    'intervals do not fit into memory; less takes fewer training rows (the average of repeats) or smaller groups',
    {
      field: 'memory',
      expected: `at most ${bytesInWords(memory)}`,
      found: `${bytesInWords(needed)} for ${rows} training rows x ${voxels} voxels, ${draws} draws`,
    },
  );
}
