import type { Backend } from '../backend.ts';
import type { Json } from '../data/json.ts';
import { kFolds } from '../data/splits.ts';
import { finishPredictions } from '../decoders/heads/finish.ts';
import { type HeadStatistics, targetsOf } from '../decoders/heads/model.ts';
import { openStreamedRidge } from '../decoders/ridge/streamed/index.ts';
import type {
  BlockStatistics,
  Design,
  DesignTargets,
  AlphaChoice as StreamedChoice,
  StreamedNumerics,
  StreamedProgress,
  StreamedRidge,
} from '../decoders/ridge/streamed/types.ts';
import type { RidgeForm } from '../decoders/ridge/types.ts';
import { F2iError, throwIfAborted } from '../error.ts';
import { type MemoryShares, shareMemory } from './ceiling.ts';
import { transposed, voxelBlocks } from './designs.ts';
import type { AlphaChoice, Recipe, RecipeHead } from './recipe.ts';
import type { ChosenAlphas, HeadStore } from './store.ts';

/** One head of a run: what is regressed, and its shape. */
export interface RunHead {
  readonly head: RecipeHead & { readonly shape: readonly number[] };
  readonly targets: DesignTargets;
}

/** Heads that read the same rows of the same voxels, and so share one factorisation. */
export interface RunDesign {
  readonly design: Design;
  /** Picture of each training row. */
  readonly pictures: Int32Array;
  /** Rows of the test whose predictions are averaged; each by itself when absent. */
  readonly groups?: readonly (readonly number[])[] | undefined;
  readonly intercept: boolean;
  readonly heads: readonly RunHead[];
}

export interface RunOptions {
  backend: Backend;
  /** Weights for a bundle, or predictions of the test rows alone, which need no weights. */
  keep: 'weights' | 'predictions';
  precision: Recipe['precision'];
  /** Weights of training rows (dual) or of voxels (primal); by default the fewer. */
  storage?: RidgeForm | 'auto' | undefined;
  /** Ceiling of resident bytes. */
  memory?: number | undefined;
  /** Resident bytes of the process before the run, packed responses in memory included; counted under the ceiling. */
  resident?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: RunProgress) => void) | undefined;
}

export interface RunProgress extends Omit<StreamedProgress, 'phase'> {
  readonly phase: StreamedProgress['phase'] | 'voxels';
  /** The head at work; none while a design is factorised. */
  readonly head?: string | undefined;
}

/** What a head came to. */
export interface HeadOutcome {
  readonly name: string;
  readonly storage: RidgeForm;
  /** Of a choice: how many targets took each alpha, and the mean score over targets. */
  readonly alpha: number | { readonly chosen: Readonly<Record<string, number>>; readonly score: number };
}

export interface RunOutcome {
  readonly heads: readonly HeadOutcome[];
  /** How each design was computed. */
  readonly numerics: readonly StreamedNumerics[];
  /** What each design's voxels were centred on after their normalisation, [voxels]; zeros without intercept. */
  readonly centers: readonly Float32Array[];
  readonly warnings: readonly string[];
  readonly flops: number;
  readonly fileSeconds: number;
}

/**
 * Fits the heads of a recipe, design by design: one Gram matrix and one factor a penalty for all targets of a design.
 * Targets go by in blocks, from their files to the store; a block that is in the store is not computed again, and blocks
 * are the same whatever the memory, the threads and the runs that it took.
 *
 * @throws FORMAT, IO and INVALID_ARGUMENT of designs and targets; OUT_OF_MEMORY; CANCELLED
 */
export async function fitHeads(
  designs: readonly RunDesign[],
  store: HeadStore,
  options: RunOptions,
): Promise<RunOutcome> {
  const { signal, onProgress, keep } = options;
  const heads: HeadOutcome[] = [];
  const numerics: StreamedNumerics[] = [];
  const centers: Float32Array[] = [];
  const warnings: string[] = [];
  const work = { flops: 0, fileSeconds: 0 };
  for (const [d, run] of designs.entries()) {
    throwIfAborted(signal, 'fitting');
    const form = formOf(run.design, options);
    const isDual = keep === 'weights' && form === 'dual';
    centers.push(await packTraining(run, isDual ? d : undefined, store, options));
    let current: string | undefined;
    let ridge: StreamedRidge | undefined;
    const openWith = (memory: number | undefined) =>
      openStreamedRidge(run.design, {
        backend: options.backend,
        alpha: run.heads.flatMap(({ head: { alpha } }) => (typeof alpha === 'number' ? [alpha] : alpha.grid)),
        intercept: run.intercept,
        form,
        precision: options.precision,
        memory,
        signal,
        onProgress: (progress) =>
          onProgress?.({
            ...progress,
            head: current,
            flops: work.flops + progress.flops,
            fileSeconds: work.fileSeconds + progress.fileSeconds,
          }),
      });
    const open = async (): Promise<StreamedRidge> => {
      const ceilings = sharesOf(run, options)?.ridge ?? [undefined];
      for (const [i, memory] of ceilings.entries()) {
        if (ridge) break;
        try {
          ridge = await openWith(memory);
        } catch (error) {
          // Finer arithmetic takes more, and leaves less to what is read ahead.
          const isTight = error instanceof F2iError && error.code === 'OUT_OF_MEMORY';
          if (!isTight || i === ceilings.length - 1) throw error;
        }
      }
      return ridge!;
    };
    try {
      for (const one of run.heads) {
        current = one.head.name;
        const alphas = await alphasOf(one, run, store, open);
        heads.push({
          name: current,
          storage: form,
          alpha: typeof alphas === 'number' ? alphas : tallied(alphas),
        });
        if (!store.isDone(current)) await fitHead(await open(), one, run, alphas, store, options);
      }
      current = undefined;
      if (ridge) await store.keepNote(d, noteOf(ridge));
      const note = (store.note(d) ?? noteOf(await open())) as unknown as DesignNote;
      numerics.push(note.numerics);
      warnings.push(...note.warnings);
      work.flops += ridge?.work.flops ?? 0;
      work.fileSeconds += ridge?.work.fileSeconds ?? 0;
    } finally {
      ridge?.dispose();
    }
  }
  return { heads, numerics, centers, warnings: [...new Set(warnings)], ...work };
}

/**
 * Divides the ceiling of a run before anything is made: the device is to be opened with its share.
 *
 * @param resident bytes of the process by now, and those of packed responses in memory
 * @returns the largest share of the device that a design needs; undefined without a ceiling
 * @throws OUT_OF_MEMORY with both numbers
 */
export function checkMemory(
  designs: readonly RunDesign[],
  options: Pick<RunOptions, 'keep' | 'precision' | 'storage' | 'memory'>,
  resident: number,
): number | undefined {
  const shares = designs.map((run) => sharesOf(run, { ...options, resident }));
  return shares[0] && Math.max(...shares.map((one) => one!.device));
}

function sharesOf(
  run: RunDesign,
  options: Pick<RunOptions, 'keep' | 'precision' | 'storage' | 'memory' | 'resident'>,
): MemoryShares | undefined {
  const { keep, precision, memory, resident = 0 } = options;
  if (memory === undefined) return undefined;
  return shareMemory(run, { keep, precision, memory, resident, form: formOf(run.design, options) });
}

/** What a store keeps of a design. */
interface DesignNote {
  readonly numerics: StreamedNumerics;
  readonly warnings: readonly string[];
}

const noteOf = ({ numerics, warnings }: StreamedRidge): Json => ({
  numerics: { ...numerics },
  warnings: [...warnings],
});

/** The smaller equations, unless weights of one kind were asked for. */
function formOf({ train, voxels }: Design, { storage = 'auto' }: Pick<RunOptions, 'storage'>): RidgeForm {
  if (storage !== 'auto') return storage;
  return voxels < train ? 'primal' : 'dual';
}

async function fitHead(
  ridge: StreamedRidge,
  { head, targets }: RunHead,
  { design, groups }: RunDesign,
  alphas: ChosenAlphas | number,
  store: HeadStore,
  { keep, signal }: RunOptions,
): Promise<void> {
  const { name, renormalise } = head;
  const count = targetsOf(head);
  const isDual = ridge.form === 'dual';
  const isPredicted = keep === 'predictions';
  const isFloat64 = ridge.numerics.precision === 'f64';
  const stored = await store.head({
    name,
    shape: head.shape,
    targets: count,
    keep,
    inputs: isPredicted ? (groups?.length ?? design.test) : isDual ? design.train : design.voxels,
    // Weights of trials cancel each other where a fit is ill-conditioned; those of voxels do not.
    dtype: !isPredicted && isDual && isFloat64 ? 'f64' : 'f32',
  });
  const rows = isPredicted ? design.test : isDual ? design.train : design.voxels;
  const sink = {
    async write(from: number, to: number, values: Float32Array | Float64Array, about: BlockStatistics) {
      throwIfAborted(signal, 'fitting');
      // A resumed run begins at the boundary of a block: what is there stays.
      if (to <= stored.done) return;
      const statistics = statisticsOf(about, alphas, from, to);
      if (isPredicted) {
        const finished = finishPredictions(values, rows, { renormalise, statistics, groups });
        await stored.write(from, to, finished, statistics);
        return;
      }
      const asIs = values instanceof Float32Array || (isDual && isFloat64);
      const own = asIs ? values : Float32Array.from(values);
      await stored.write(from, to, own, statistics);
    },
  };
  const settings = {
    alphas: typeof alphas === 'number' ? alphas : alphas.alphas,
    from: stored.done,
    // Beside dual weights they cost nothing; otherwise as much as the weights themselves.
    byTarget: true,
    trainingStatistics: isPredicted ? renormalise === 'stored-training' : isDual || renormalise !== 'none',
  };
  await ridge[isPredicted ? 'predict' : ridge.form](targets, sink, settings);
}

function statisticsOf(
  { targetMean, targetStd, predictionMean, predictionStd }: BlockStatistics,
  alphas: ChosenAlphas | number,
  from: number,
  to: number,
): HeadStatistics {
  const unknown = () => new Float64Array(to - from).fill(Number.NaN);
  return {
    alpha:
      typeof alphas === 'number' ? new Float64Array(to - from).fill(alphas) : alphas.alphas.slice(from, to),
    target_mean: targetMean,
    target_std: targetStd,
    prediction_mean: predictionMean ?? unknown(),
    prediction_std: predictionStd ?? unknown(),
  };
}

/** The penalty that is stated, or those that an earlier run or this one chooses. */
async function alphasOf(
  { head, targets }: RunHead,
  run: RunDesign,
  store: HeadStore,
  open: () => Promise<StreamedRidge>,
): Promise<number | ChosenAlphas> {
  const { alpha, name } = head;
  if (typeof alpha === 'number') return alpha;
  const before = await store.chosen(name);
  if (before) return before;
  const { alphas, scores } = await (await open()).choose(targets, streamedChoice(alpha, run));
  await store.keepChosen(name, { alphas, scores });
  return { alphas, scores };
}

function streamedChoice(
  { grid, folds, score, perTarget }: AlphaChoice,
  { pictures }: RunDesign,
): StreamedChoice {
  const { count, seed, together } = folds;
  return {
    grid,
    folds: kFolds(pictures.length, { folds: count, seed, together: together ? pictures : undefined }),
    score,
    perTarget,
  };
}

function tallied({ alphas, scores }: ChosenAlphas): Exclude<HeadOutcome['alpha'], number> {
  const chosen: Record<string, number> = {};
  for (const alpha of alphas) chosen[alpha] = (chosen[alpha] ?? 0) + 1;
  const finite = scores.filter(Number.isFinite);
  return { chosen, score: finite.reduce((sum, score) => sum + score, 0) / Math.max(1, finite.length) };
}

/**
 * What voxels are centred on, and for weights of trials the centred training rows themselves.
 *
 * @param number of the design, whose training rows are kept; undefined: only the centre is wanted
 */
async function packTraining(
  { design, intercept, heads }: RunDesign,
  number: number | undefined,
  store: HeadStore,
  { keep, signal, onProgress }: RunOptions,
): Promise<Float32Array> {
  const { voxels, train } = design;
  const center = new Float32Array(voxels);
  if (keep === 'predictions' || heads.length === 0) return center;
  const stored = number === undefined ? undefined : await store.training(number, voxels, train);
  for (const [from, to] of voxelBlocks(voxels)) {
    const { train: rows } = await design.read(from, to, signal);
    const columns = transposed(rows, train);
    for (let v = from; v < to; v++) {
      const own = columns.subarray((v - from) * train, (v - from + 1) * train);
      const bad = own.findIndex((value) => !Number.isFinite(value));
      if (bad >= 0) {
        throw new F2iError('INVALID_ARGUMENT', 'the responses hold NaN or infinity', {
          field: 'voxels',
          expected: 'finite responses',
          found: `${own[bad]} in voxel ${v}, training row ${bad}`,
        });
      }
      if (!intercept) continue;
      center[v] = own.reduce((sum, value) => sum + value, 0) / train;
      for (let i = 0; i < train; i++) own[i]! -= center[v]!;
    }
    if (stored && to > stored.done) await stored.write(from, to, columns);
    onProgress?.({ phase: 'voxels', done: to, total: voxels, flops: 0, fileSeconds: 0 });
  }
  return center;
}
