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
      const raw = await packed.readVoxels(own.subarray(from, to), signal);
      const width = to - from;
      const trials = raw.length / width;
      const out = {
        train: allocate('f32', train.length * width),
        test: allocate('f32', test.length * width),
      };
      const breathe = pacer(signal, `preparing ${packed.name}`);
      const tile = Array.from({ length: TILE }, () => new Float64Array(trials));
      const work = new VoxelWork(plan, arrangement, trials);
      let bad = 0;
      for (let first = 0; first < width; first += TILE) {
        const count = Math.min(TILE, width - first);
        for (let t = 0; t < trials; t++) {
          for (let c = 0; c < count; c++) tile[c]![t] = raw[t * width + first + c]!;
        }
        for (let c = 0; c < count; c++) {
          const v = first + c;
          const { mean, std, varies, finite } = work.run(tile[c]!);
          if (!finite) bad++;
          constant[from + v] = varies ? 0 : 1;
          statistics?.note(from + v, mean, std);
          for (let r = 0; r < train.length; r++) out.train[r * width + v] = work.train[r]!;
          for (let r = 0; r < test.length; r++) out.test[r * width + v] = work.test[r]!;
        }
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

/** One voxel after the other through all stages, in memory that is used again. */
class VoxelWork {
  readonly train: Float64Array;
  readonly test: Float64Array;
  readonly #plan: NormalisationPlan;
  readonly #rows: { readonly train: RowTrials; readonly test: RowTrials };
  readonly #used: Int32Array;

  constructor(plan: NormalisationPlan, { train, test }: Arrangement, trials: number) {
    this.#plan = plan;
    this.train = new Float64Array(train.length);
    this.test = new Float64Array(test.length);
    this.#rows = { train: flatten(train), test: flatten(test) };
    const used = new Uint8Array(trials);
    for (const { trials: own } of [...train, ...test]) for (const trial of own) used[trial] = 1;
    for (const { fitted } of plan.groups) for (const trial of fitted) used[trial] = 1;
    this.#used = Int32Array.from(used.keys()).filter((trial) => used[trial] === 1);
  }

  /**
   * @param x responses of one voxel, by trial; overwritten
   * @returns mean and deviation over training rows (the deviation 1 where it is 0, as scikit-learn's StandardScaler)
   */
  run(x: Float64Array): { mean: number; std: number; varies: boolean; finite: boolean } {
    let sum = 0;
    for (let i = 0; i < this.#used.length; i++) sum += x[this.#used[i]!]!;
    // A sum is finite only if all of it is; finite float32 cannot overflow a float64 sum.
    const finite = Number.isFinite(sum);
    let varies = true;
    for (const { members, fitted } of this.#plan.groups) {
      const { mean, std } = momentsOf(x, fitted, 0);
      if (std === 0) varies = false;
      const scale = std > 0 ? 1 / std : 0;
      for (let i = 0; i < members.length; i++) x[members[i]!] = (x[members[i]!]! - mean) * scale;
    }
    averageRows(x, this.#rows.train, this.train);
    averageRows(x, this.#rows.test, this.test);
    if (this.#plan.ddof === undefined) return { mean: 0, std: 1, varies, finite };
    const { mean, std } = momentsOf(this.train, undefined, this.#plan.ddof);
    if (std === 0) varies = false;
    const scale = std > 0 ? 1 / std : 0;
    for (const rows of [this.train, this.test]) {
      for (let r = 0; r < rows.length; r++) rows[r] = (rows[r]! - mean) * scale;
    }
    return { mean, std: std > 0 ? std : 1, varies, finite };
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
    let sum = 0;
    for (let i = start; i < end; i++) sum += x[trials[i]!]!;
    out[r] = end - start === 1 ? sum : sum / (end - start);
  }
}

/** Around the first value, so that equal values have a deviation of exactly 0. */
function momentsOf(x: Float64Array, at: Int32Array | undefined, ddof: number): { mean: number; std: number } {
  const n = at?.length ?? x.length;
  const first = x[at ? at[0]! : 0]!;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += x[at ? at[i]! : i]! - first;
  const shift = sum / n;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (x[at ? at[i]! : i]! - first - shift) ** 2;
  return { mean: first + shift, std: n > ddof ? Math.sqrt(squares / (n - ddof)) : 0 };
}

function checkRange(from: number, to: number, voxels: number): void {
  if (Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from < to && to <= voxels) return;
  throw new F2iError('INVALID_ARGUMENT', 'voxels out of bounds', {
    field: 'from, to',
    expected: `0 <= from < to <= ${voxels}`,
    found: `[${from}, ${to})`,
  });
}
