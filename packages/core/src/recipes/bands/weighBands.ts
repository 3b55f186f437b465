import type { Backend } from '../../backend.ts';
import { pacer } from '../../data/pause.ts';
import { kFolds } from '../../data/splits.ts';
import { searchBands } from '../../decoders/ridge/bandSearch.ts';
import { type Band, weightedGram } from '../../decoders/ridge/bands.ts';
import { dirichletGammas } from '../../decoders/ridge/gammas.ts';
import { moveTo } from '../../decoders/ridge/matrices.ts';
import type { Precision } from '../../decoders/ridge/precision.ts';
import type { AlphaScore } from '../../decoders/ridge/scores.ts';
import type { Design, DesignTargets } from '../../decoders/ridge/streamed/types.ts';
import { targetsInMemory } from '../../decoders/ridge/targets.ts';
import { F2iError, throwIfAborted } from '../../error.ts';
import { hasFloat64 } from '../../float64.ts';
import { add, columnStats, gather, gram, type OpOptions, sub } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import { voxelBlocks } from '../designs.ts';
import type { RunDesign, RunHead } from '../runTypes.ts';
import { MOST_VALUES } from './plan.ts';

/** ROIs of a design that have penalties of their own. */
export interface RunBands {
  readonly bands: readonly Band[];
  /** Candidates for their weights; the first is plain ridge. */
  readonly draws: number;
  readonly seed: number;
}

/** Weights that a search chose, as a run keeps them. */
export interface BandWeights {
  /** Of mean 1; a penalty alpha / weight for the voxels of each band. */
  readonly bands: readonly { readonly name: string; readonly voxels: number; readonly weight: number }[];
  readonly candidates: number;
  readonly score: AlphaScore;
  /** Mean of the score over folds and values, of the weights that were chosen and of equal ones (plain ridge). */
  readonly chosen: number;
  readonly plain: number;
  /** Values of the targets that were scored, and how many there are. */
  readonly values: number;
  readonly of: number;
}

export interface WeighOptions extends OpOptions {
  backend: Backend;
  precision: Precision;
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/** Values that represent a wide head come in stretches of neighbours, spread evenly. */
const STRETCH = 64;
const FOLDS = 5;

/** Arithmetic of a search: scores of close candidates may differ by less than float32 resolves. */
export const bandPrecision = (backend: Backend, asked: string): Precision =>
  asked === 'f32' || !hasFloat64(backend) ? 'f32' : 'f64';

/**
 * Chooses weights of bands for a head by random search (Dupré la Tour et al. 2022, NeuroImage 264:119728; himalaya's
 * `GroupRidgeCV`), one choice for all of its values: of the candidates, whose first is plain ridge, the one with the best mean
 * score at its best common penalty. A candidate costs no pass over voxels or targets: each band has its Gram matrix, and of
 * wide heads up to 2048 values are scored, which are read once.
 */
export async function weighBands(
  { design, pictures, intercept }: RunDesign,
  { head, targets }: RunHead,
  { bands, draws, seed }: RunBands,
  { backend, precision, signal, onProgress }: WeighOptions,
): Promise<BandWeights> {
  const { alpha } = head;
  const choice = typeof alpha === 'number' ? undefined : alpha;
  const {
    count,
    seed: shuffled,
    together,
  } = choice?.folds ?? { count: FOLDS, seed: undefined, together: true };
  const folds = kFolds(pictures.length, {
    folds: count,
    seed: shuffled,
    together: together ? pictures : undefined,
  });
  const score = choice?.score ?? 'r2';
  // Of mean 1, so that equal weights are ridge with the penalty that was stated.
  const gammas = dirichletGammas(bands.length, { draws, seed }).map((own) =>
    own.map((w) => w * bands.length),
  );
  const values = await someTargets(targets, signal);
  const grams = await gramsOf(design, bands, intercept, { backend, precision, signal });
  try {
    const { selection } = await searchBands(
      (draw) => ({ form: 'dual', matrix: weightedGram(grams, gammas[draw]!, { signal }) }),
      targetsInMemory(values, design.train),
      {
        gammas,
        grid: choice?.grid ?? [alpha as number],
        folds,
        score,
        intercept,
        perTarget: false,
        signal,
        onProgress: ({ done, total }) => onProgress?.({ done, total }),
      },
    );
    const scored = values.length / design.train;
    const meanOf = (draw: number) =>
      selection.table.subarray(draw * scored, (draw + 1) * scored).reduce((sum, one) => sum + one, 0) /
      scored;
    const best = selection.chosen[0]!;
    return {
      bands: bands.map(({ name, columns }, b) => ({
        name,
        voxels: columns.length,
        weight: gammas[best]![b]!,
      })),
      candidates: draws,
      score,
      chosen: meanOf(best),
      plain: meanOf(0),
      values: scored,
      of: targets.source.columns,
    };
  } finally {
    for (const matrix of grams) matrix.dispose();
  }
}

/** Gram matrices of the bands' voxels over the training rows, [train, train] each, from blocks of voxels. */
async function gramsOf(
  design: Design,
  bands: readonly Band[],
  intercept: boolean,
  { backend, precision, signal }: WeighOptions,
): Promise<Tensor[]> {
  const ops = { signal };
  const sums: (Tensor | undefined)[] = bands.map(() => undefined);
  try {
    for (const [from, to] of voxelBlocks(design.voxels)) {
      throwIfAborted(signal, 'weighing bands');
      const { train } = await design.read(from, to, signal, { trainOnly: true });
      const before = [...sums];
      const after = backend.scope(() => {
        const raw = moveTo(backend, train, [design.train, to - from], precision, ops);
        // Each fold centres its own rows; without large means they keep their digits.
        const x = intercept ? sub(raw, columnStats(raw, ops).mean, ops) : raw;
        return bands.map(({ columns }, b) => {
          const own = Int32Array.from(columns).filter((column) => column >= from && column < to);
          if (own.length === 0) return before[b];
          const part = gram(gather(x, { ...ops, cols: own.map((column) => column - from) }), ops);
          return before[b] ? add(before[b], part, ops) : part;
        });
      });
      for (const [b, sum] of after.entries()) {
        if (before[b] !== sum) before[b]?.dispose();
        sums[b] = sum;
      }
    }
    return sums as Tensor[];
  } catch (error) {
    for (const sum of sums) sum?.dispose();
    throw error;
  }
}

/**
 * Some values of all training rows, [train, some].
 *
 * @throws INVALID_ARGUMENT naming file, row and column of a value that is not finite
 */
async function someTargets({ source, train }: DesignTargets, signal?: AbortSignal): Promise<Float64Array> {
  const { columns } = source;
  const count = Math.min(columns, MOST_VALUES);
  const stretches = columns <= MOST_VALUES ? 1 : MOST_VALUES / STRETCH;
  const width = count / stretches;
  const values = new Float64Array(train.length * count);
  const breathe = pacer(signal, 'weighing bands');
  for (let s = 0; s < stretches; s++) {
    const from = stretches === 1 ? 0 : Math.round((s * (columns - width)) / (stretches - 1));
    const block = await source.read(train, from, from + width, signal);
    for (let row = 0; row < train.length; row++) {
      const own = block.subarray(row * width, (row + 1) * width);
      const bad = own.findIndex((value) => !Number.isFinite(value));
      if (bad >= 0) {
        throw new F2iError('INVALID_ARGUMENT', 'targets hold NaN or infinity', {
          file: source.name,
          field: `row ${train[row]}, column ${from + bad}`,
          expected: 'finite values',
          found: `${own[bad]}`,
        });
      }
      values.set(own, row * count + s * width);
      await breathe();
    }
  }
  return values;
}
