import { fittedBy } from '../bundle/fittedBy.ts';
import type { Json } from '../data/json.ts';
import { precisionWarning } from '../decoders/ridge/precision.ts';
import { openStreamedRidge } from '../decoders/ridge/streamed/index.ts';
import type { Design, StreamedNumerics, StreamedRidge } from '../decoders/ridge/streamed/types.ts';
import type { RidgeForm } from '../decoders/ridge/types.ts';
import { F2iError, throwIfAborted } from '../error.ts';
import { bandScale, scaledDesign } from './bands/scaledDesign.ts';
import { type BandWeights, bandPrecision, weighBands } from './bands/weighBands.ts';
import { checkGpu, type GpuCeiling, type MemoryShares, planCeiling, shareMemory } from './ceiling.ts';
import { fitHead } from './fitHead.ts';
import { packTraining } from './packTraining.ts';
import { alphasOf, narrowGrid, tallied } from './penalties.ts';
import type { HeadOutcome, RunDesign, RunOptions, RunOutcome, WeightedBands } from './runTypes.ts';
import type { HeadStore } from './store.ts';

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
  const bands: (WeightedBands | undefined)[] = [];
  for (const [d, plain] of designs.entries()) {
    throwIfAborted(signal, 'fitting');
    const weighted = await weightedBands(plain, d, store, options);
    bands.push(weighted);
    const run = weighted ? { ...plain, design: scaledDesign(plain.design, weighted.scale) } : plain;
    const form = formOf(run.design, options);
    const isDual = keep !== 'predictions' && form === 'dual';
    centers.push(await packTraining(run, isDual ? d : undefined, store, options));
    const narrow: string[] = [];
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
      const ceilings = ceilingsOf(run, options);
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
        narrow.push(...narrowGrid(one.head, alphas));
        heads.push({
          name: current,
          storage: form,
          alpha: typeof alphas === 'number' ? alphas : tallied(alphas),
        });
        if (!store.isDone(current)) await fitHead(await open(), one, run, alphas, store, options);
      }
      current = undefined;
      const kept = store.note(d) as unknown as DesignNote | undefined;
      if (ridge) await store.keepNote(d, { ...(kept as object | undefined), ...(noteOf(ridge) as object) });
      const known = store.note(d) as unknown as DesignNote | undefined;
      const note = known?.numerics ? known : (noteOf(await open()) as unknown as DesignNote);
      numerics.push(note.numerics);
      warnings.push(...note.warnings, ...narrow);
      work.flops += ridge?.work.flops ?? 0;
      work.fileSeconds += ridge?.work.fileSeconds ?? 0;
    } finally {
      ridge?.dispose();
    }
  }
  const fitted = fittedBy(
    options.backend,
    numerics.map(({ precision }) => precision),
  );
  return { heads, numerics, fittedBy: fitted, bands, centers, warnings: [...new Set(warnings)], ...work };
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

/**
 * The same for a GPU, whose memory is its own.
 *
 * @throws OUT_OF_MEMORY with both numbers
 */
export function checkGpuMemory(
  designs: readonly RunDesign[],
  { keep, precision, storage }: Pick<RunOptions, 'keep' | 'precision' | 'storage'>,
  ceiling: GpuCeiling,
): void {
  for (const run of designs)
    checkGpu(run, { keep, precision, form: formOf(run.design, { storage }) }, ceiling);
}

/** Of the plans that are tried one after the other: undefined where nothing is limited. */
function ceilingsOf(run: RunDesign, options: RunOptions): (number | undefined)[] {
  const { deviceMemory } = options;
  const ofProcess = sharesOf(run, options)?.ridge ?? [undefined];
  if (deviceMemory === undefined) return [...ofProcess];
  const ofDevice = planCeiling(deviceMemory);
  return ofProcess.map((bytes) => (bytes === undefined ? ofDevice : Math.min(bytes, ofDevice)));
}

function sharesOf(
  run: RunDesign,
  options: Pick<RunOptions, 'keep' | 'precision' | 'storage' | 'memory' | 'resident'>,
): MemoryShares | undefined {
  const { keep, precision, memory, resident = 0 } = options;
  if (memory === undefined) return undefined;
  return shareMemory(run, { keep, precision, memory, resident, form: formOf(run.design, options) });
}

/** Weights of the bands that an earlier run or this one chooses. */
async function weightedBands(
  run: RunDesign,
  number: number,
  store: HeadStore,
  { backend, precision, signal, onProgress }: RunOptions,
): Promise<WeightedBands | undefined> {
  const { bands, design, heads } = run;
  if (!bands) return undefined;
  const before = (store.note(number) as unknown as DesignNote | undefined)?.bands;
  const weights =
    before ??
    (await weighBands(run, heads[0]!, bands, {
      backend,
      precision: bandPrecision(backend, precision),
      signal,
      onProgress: ({ done, total }) =>
        onProgress?.({ phase: 'bands', done, total, head: heads[0]!.head.name, flops: 0, fileSeconds: 0 }),
    }));
  if (!before) await store.keepNote(number, { bands: weights as unknown as Json });
  const gammas = weights.bands.map(({ weight }) => weight);
  return { weights, scale: bandScale(design.voxels, bands.bands, gammas) };
}

/** What a store keeps of a design: of one that is not done yet, its bands alone. */
interface DesignNote {
  readonly bands?: BandWeights | undefined;
  readonly numerics: StreamedNumerics;
  readonly warnings: readonly string[];
}

/** What a ridge says of penalties it says of those that it chose itself, not of those of an earlier run: see `narrowGrid`. */
function noteOf({ numerics }: StreamedRidge): Json {
  const warning = precisionWarning(numerics);
  return { numerics: { ...numerics }, warnings: warning === undefined ? [] : [warning] };
}

/** The smaller equations, unless weights of one kind were asked for. */
function formOf({ train, voxels }: Design, { storage = 'auto' }: Pick<RunOptions, 'storage'>): RidgeForm {
  if (storage !== 'auto') return storage;
  return voxels < train ? 'primal' : 'dual';
}
