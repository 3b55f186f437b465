import type { Design } from '../../decoders/ridge/streamed/types.ts';
import { F2iError } from '../../error.ts';
import { allocate } from '../ndarray.ts';
import { pacer } from '../pause.ts';
import type { VoxelSelection } from '../study/study.ts';
import { type NormalisationName, type NormalisationPlan, planNormalisation } from './normalisation.ts';
import type { PackedRecording } from './packed.ts';
import type { ArrangedRow, Arrangement } from './recording.ts';
import { checkColumns, takeColumns } from './regions.ts';

/** Voxels of a recording as a regression reads them. */
export interface RecordingDesign extends Design {
  readonly arrangement: Arrangement;
  readonly selection: VoxelSelection;
  readonly regions: ReadonlyMap<string, Int32Array>;
  /** Oddities of what was read so far, in words: voxels that do not vary. */
  readonly warnings: readonly string[];
}

/** Voxels that are computed together: what lies beside each other in a line of the processor's cache. */
const TILE = 16;

/**
 * The design of a regression: voxel by voxel, session or run normalisation of single trials, then the average over the
 * trials of a row, then the normalisation over training rows. Sums are float64, what is returned is rounded once. A voxel
 * without variance where it is normalised becomes 0 there.
 *
 * @param options.columns ascending voxels of `packed`, for an ROI; default all
 * @throws INVALID_ARGUMENT as `planNormalisation`; reading throws FORMAT, counting them, for voxels that are not finite
 */
export function designOf(
  packed: PackedRecording,
  arrangement: Arrangement,
  normalisation: NormalisationName,
  { columns }: { columns?: Int32Array | undefined } = {},
): RecordingDesign {
  const own = columns ?? Int32Array.from({ length: packed.voxels }, (_, voxel) => voxel);
  checkColumns(own, packed.voxels);
  const plan = planNormalisation(packed, arrangement, normalisation);
  const { train, test } = arrangement;
  const statistics = plan.ddof === undefined ? undefined : rowStatistics(own.length);
  /** By voxel: 1 where it does not vary. */
  const constant = new Uint8Array(own.length);
  return {
    train: train.length,
    test: test.length,
    voxels: own.length,
    arrangement,
    ...takeColumns(packed.selection, packed.regions, own),
    ledger: [...packed.ledger, ...plan.ledger],
    async read(from, to, signal) {
      checkRange(from, to, own.length);
      const series = await packed.readSeries(own.subarray(from, to), signal);
      const width = to - from;
      const out = {
        train: allocate('f32', train.length * width),
        test: allocate('f32', test.length * width),
      };
      const breathe = pacer(signal, `preparing ${packed.name}`);
      const trials = series.length / width;
      const voxel = new Float64Array(trials);
      const work = new VoxelWork(plan, arrangement);
      let bad = 0;
      for (let first = 0; first < width; first += TILE) {
        const count = Math.min(TILE, width - first);
        for (let c = 0; c < count; c++) {
          const v = first + c;
          voxel.set(series.subarray(v * trials, (v + 1) * trials));
          const { mean, std, varies, finite } = work.run(voxel, c);
          if (!finite) bad++;
          constant[from + v] = varies ? 0 : 1;
          statistics?.note(from + v, mean, std);
        }
        work.put('train', out.train, width, first, count);
        work.put('test', out.test, width, first, count);
        await breathe();
      }
      if (bad > 0) {
        throw new F2iError(
          'FORMAT',
          `values that are not finite in ${bad} of ${width} voxels; packing with badVoxels: 'drop' leaves them out`,
          { file: packed.name, field: 'voxels', expected: 'finite numbers' },
        );
      }
      return out;
    },
    ...(statistics ? { statistics: statistics.of } : {}),
    get warnings() {
      const count = constant.reduce((sum, one) => sum + one, 0);
      return count > 0
        ? [`${count} of ${own.length} voxels do not vary where they are normalised; they are 0 there`]
        : [];
    },
  };
}

/** Mean and deviation of each voxel over training rows, known once it was read. */
function rowStatistics(voxels: number) {
  const mean = new Float32Array(voxels);
  const std = new Float32Array(voxels).fill(Number.NaN);
  return {
    note(voxel: number, m: number, s: number) {
      mean[voxel] = m;
      std[voxel] = s;
    },
    of(from: number, to: number) {
      checkRange(from, to, voxels);
      if (std.subarray(from, to).some(Number.isNaN)) {
        throw new F2iError('INVALID_ARGUMENT', 'statistics are known of voxels that were read', {
          field: 'from, to',
          found: `[${from}, ${to})`,
        });
      }
      return { mean: mean.slice(from, to), std: std.slice(from, to) };
    },
  };
}

/** Some voxels, one after the other, through all stages, in memory that is used again. */
class VoxelWork {
  readonly #plan: NormalisationPlan;
  readonly #sides: Readonly<Record<'train' | 'test', RowTrials & { readonly values: Float64Array }>>;

  constructor(plan: NormalisationPlan, { train, test }: Arrangement) {
    this.#plan = plan;
    const side = (rows: readonly ArrangedRow[]) => ({
      ...flatten(rows),
      values: new Float64Array(TILE * rows.length),
    });
    this.#sides = { train: side(train), test: side(test) };
  }

  /**
   * Takes in voxel `c` of a tile.
   *
   * @param x its responses, by trial; overwritten
   * @returns mean and deviation over training rows (1 where it is 0, as scikit-learn's StandardScaler has it)
   */
  run(x: Float64Array, c: number): { mean: number; std: number; varies: boolean; finite: boolean } {
    let varies = true;
    for (const { members, fitted } of this.#plan.groups) {
      const { mean, std } = momentsOfSome(x, fitted);
      if (std === 0) varies = false;
      const scale = std > 0 ? 1 / std : 0;
      for (let i = 0; i < members.length; i++) x[members[i]!] = (x[members[i]!]! - mean) * scale;
    }
    const { train, test } = this.#sides;
    const own = (rows: typeof train) => {
      const count = rows.starts.length - 1;
      return rows.values.subarray(c * count, (c + 1) * count);
    };
    const [trained, tested] = [own(train), own(test)];
    averageRows(x, train, trained);
    averageRows(x, test, tested);
    if (this.#plan.ddof === undefined) {
      return { mean: 0, std: 1, varies, finite: isFiniteThroughout(trained) && isFiniteThroughout(tested) };
    }
    const { mean, std } = momentsOf(trained, this.#plan.ddof);
    if (std === 0) varies = false;
    const scale = std > 0 ? 1 / std : 0;
    for (const rows of [trained, tested]) {
      for (let r = 0; r < rows.length; r++) rows[r] = (rows[r]! - mean) * scale;
    }
    // What is not finite in a training row is so in the mean, and then in all rows.
    return {
      mean,
      std: std > 0 ? std : 1,
      varies,
      finite: isFiniteThroughout(tested) && Number.isFinite(mean),
    };
  }

  /** Rows of the voxels that were taken in, side by side: whole lines of the cache at once. */
  put(side: 'train' | 'test', out: Float32Array, width: number, first: number, count: number): void {
    const { values, starts } = this.#sides[side];
    const rows = starts.length - 1;
    for (let r = 0; r < rows; r++) {
      const at = r * width + first;
      for (let c = 0; c < count; c++) out[at + c] = values[c * rows + r]!;
    }
  }
}

/** Trials of all rows one after the other, and where each row begins. */
interface RowTrials {
  readonly trials: Int32Array;
  readonly starts: Int32Array;
}

function flatten(rows: readonly ArrangedRow[]): RowTrials {
  const starts = new Int32Array(rows.length + 1);
  for (const [r, row] of rows.entries()) starts[r + 1] = starts[r]! + row.trials.length;
  const trials = new Int32Array(starts[rows.length]!);
  for (const [r, row] of rows.entries()) trials.set(row.trials, starts[r]!);
  return { trials, starts };
}

function averageRows(x: Float64Array, { trials, starts }: RowTrials, out: Float64Array): void {
  for (let r = 0; r < out.length; r++) {
    const [start, end] = [starts[r]!, starts[r + 1]!];
    let sum = x[trials[start]!]!;
    for (let i = start + 1; i < end; i++) sum += x[trials[i]!]!;
    out[r] = end - start === 1 ? sum : sum / (end - start);
  }
}

/** Around the first value, so that equal values have a deviation of exactly 0. */
function momentsOf(x: Float64Array, ddof: number): { mean: number; std: number } {
  const first = x[0]!;
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! - first;
  const shift = sum / x.length;
  let squares = 0;
  for (let i = 0; i < x.length; i++) squares += (x[i]! - first - shift) ** 2;
  return { mean: first + shift, std: x.length > ddof ? Math.sqrt(squares / (x.length - ddof)) : 0 };
}

function momentsOfSome(x: Float64Array, at: Int32Array): { mean: number; std: number } {
  const first = x[at[0]!]!;
  let sum = 0;
  for (let i = 0; i < at.length; i++) sum += x[at[i]!]! - first;
  const shift = sum / at.length;
  let squares = 0;
  for (let i = 0; i < at.length; i++) squares += (x[at[i]!]! - first - shift) ** 2;
  return { mean: first + shift, std: Math.sqrt(squares / at.length) };
}

/** A sum is finite only if all of it is: float32 cannot overflow one of float64. */
function isFiniteThroughout(x: Float64Array): boolean {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]!;
  return Number.isFinite(sum);
}

function checkRange(from: number, to: number, voxels: number): void {
  if (Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from < to && to <= voxels) return;
  throw new F2iError('INVALID_ARGUMENT', 'voxels out of bounds', {
    field: 'from, to',
    expected: `0 <= from < to <= ${voxels}`,
    found: `[${from}, ${to})`,
  });
}
