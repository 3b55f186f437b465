import { fittedBy } from '../bundle/fittedBy.ts';
import { precisionWarning } from '../decoders/ridge/precision.ts';
import type { StreamedNumerics } from '../decoders/ridge/streamed/types.ts';
import { throwIfAborted } from '../error.ts';
import { scaledDesign } from './bands/scaledDesign.ts';
import { weightedBands } from './bands/weightedBands.ts';
import { DeferredRidge } from './deferredRidge.ts';
import { addToNote, readNote } from './designNote.ts';
import { fitHead } from './fitHead.ts';
import { formOf } from './form.ts';
import { packTraining } from './packTraining.ts';
import { alphasOf, narrowGrid, tallied } from './penalties.ts';
import type { HeadOutcome, RunDesign, RunOptions, RunOutcome, RunWork, WeightedBands } from './runTypes.ts';
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
  const fitted: FittedDesign[] = [];
  let work: RunWork = { flops: 0, fileSeconds: 0 };
  for (const [number, design] of designs.entries()) {
    throwIfAborted(options.signal, 'fitting');
    const made = await fitDesign(design, number, store, options, work);
    fitted.push(made);
    work = {
      flops: work.flops + made.work.flops,
      fileSeconds: work.fileSeconds + made.work.fileSeconds,
    };
  }
  const numerics = fitted.map((design) => design.numerics);
  return {
    heads: fitted.flatMap(({ heads }) => heads),
    numerics,
    fittedBy: fittedBy(
      options.backend,
      numerics.map(({ precision }) => precision),
    ),
    bands: fitted.map(({ bands }) => bands),
    centers: fitted.map(({ center }) => center),
    warnings: [...new Set(fitted.flatMap(({ warnings }) => warnings))],
    ...work,
  };
}

/** What a run leaves of one design; its weights and predictions are in the store. */
interface FittedDesign {
  readonly heads: readonly HeadOutcome[];
  readonly numerics: StreamedNumerics;
  readonly bands: WeightedBands | undefined;
  /** [voxels] */
  readonly center: Float32Array;
  readonly warnings: readonly string[];
  readonly work: RunWork;
}

/**
 * Weighs the bands of a design, packs its training rows, and then takes head after head: its penalties first, then its
 * targets through the one ridge of the design.
 *
 * @param number of the design in the run
 * @param before what the run did for earlier designs
 */
async function fitDesign(
  plain: RunDesign,
  number: number,
  store: HeadStore,
  options: RunOptions,
  before: RunWork,
): Promise<FittedDesign> {
  const bands = await weightedBands(plain, number, store, options);
  const run = bands ? { ...plain, design: scaledDesign(plain.design, bands.scale) } : plain;
  const form = formOf(run.design, options);
  const keepsTraining = options.keep !== 'predictions' && form === 'dual';
  const center = await packTraining(run, keepsTraining ? number : undefined, store, options);
  const heads: HeadOutcome[] = [];
  const narrow: string[] = [];
  const ridge = new DeferredRidge(run, form, options, before);
  try {
    for (const one of run.heads) {
      const { name } = one.head;
      ridge.head = name;
      const alphas = await alphasOf(one, run, store, () => ridge.open());
      narrow.push(...narrowGrid(one.head, alphas));
      heads.push({ name, storage: form, alpha: typeof alphas === 'number' ? alphas : tallied(alphas) });
      if (!store.isDone(name)) await fitHead(await ridge.open(), one, run, alphas, store, options);
    }
    ridge.head = undefined;
    const { numerics, warnings } = await howItWasDone(ridge, number, store);
    const { flops, fileSeconds } = ridge.opened?.work ?? { flops: 0, fileSeconds: 0 };
    return {
      heads,
      numerics,
      bands,
      center,
      warnings: [...warnings, ...narrow],
      work: { flops, fileSeconds },
    };
  } finally {
    ridge.dispose();
  }
}

/** Numerics of a design and its warnings: of the ridge of this run, which are noted; otherwise what an earlier run noted. */
async function howItWasDone(
  ridge: DeferredRidge,
  number: number,
  store: HeadStore,
): Promise<{ numerics: StreamedNumerics; warnings: readonly string[] }> {
  const { numerics: before, warnings: said = [] } = readNote(store, number);
  if (before && !ridge.opened) return { numerics: before, warnings: said };
  const { numerics } = await ridge.open();
  // What a ridge says of penalties it says of those that it chose itself, not of those of an earlier run: see `narrowGrid`.
  const warning = precisionWarning(numerics);
  const made = { numerics: { ...numerics }, warnings: warning === undefined ? [] : [warning] };
  await addToNote(store, number, made);
  return made;
}
