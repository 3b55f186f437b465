import {
  chooseRecipe,
  fitHeads,
  headsBundle,
  type Recipe,
  type RidgeForm,
  type RunProgress,
} from '@fmri2image/core';
import type { Console } from '../console.ts';
import { type Context, Interrupted } from '../context.ts';
import type { DeviceOptions } from '../options.ts';
import { checkBandDraws } from '../pipeline/bands.ts';
import { type Terms, termsOf } from '../terms.ts';
import { withBands } from './bands.ts';
import { BlockFolder } from './blockFolder.ts';
import { writeHeadsBundle } from './bundleFiles.ts';
import { chosenOf } from './choices.ts';
import { constantNotes, describeRun, rowWarnings } from './describeRun.ts';
import { checkFitDisk } from './disk.ts';
import { identityOf } from './fitIdentity.ts';
import { type DividedMemory, divideMemory } from './fitMemory.ts';
import { checkPlaces, type FitOutputs, prepareOutputs } from './fitOutputs.ts';
import { WatchedFiles } from './identity.ts';
import { overridesOf, type RecipeFlags } from './options.ts';
import {
  type AskedBands,
  closeTargets,
  type OpenTargets,
  openTargetFiles,
  type Plan,
  planRecipe,
  regionsOf,
  type TargetFile,
  withUnitRows,
} from './plan.ts';
import { type OpenedRecording, openAt, packed, toBePacked } from './recording.ts';
import { writeRunPredictions } from './runPredictions.ts';
import { tellFit, tellPlan } from './tellFit.ts';

export interface FitRecipeFlags extends DeviceOptions, RecipeFlags, Terms {
  data?: string;
  output: string;
  storage?: RidgeForm | 'auto';
  force?: boolean;
}

/**
 * Fits the heads of a recipe: a bundle of their weights, predictions of the test rows, or both. All that can be refused is
 * refused before anything is made; what a run that was killed has made, the next one takes up.
 *
 * @throws USAGE, FORMAT and IO of options and files; OUT_OF_MEMORY with both numbers; CANCELLED
 */
export async function fitRecipe(
  path: string,
  files: readonly TargetFile[],
  flags: FitRecipeFlags,
  context: Context,
): Promise<void> {
  const started = performance.now();
  checkPlaces(flags);
  checkBandDraws(flags);
  const outputs = await prepareOutputs(flags, [path, flags.data, ...files.map((file) => file.path)]);
  const watched = new WatchedFiles();
  const inputs = await openInputs(path, files, flags, watched, context);
  const { recipe, recording, targets, asked } = inputs;
  let memory: DividedMemory | undefined;
  try {
    const [unpacked, settle] = toBePacked(recording);
    const planned = planRecipe(recipe, unpacked, targets, asked);
    memory = await divideMemory(planned, recording, flags, context);
    const identity = await identityOf(planned, recording, files, watched, flags, context);
    const disk = await checkFitDisk(planned, recording, memory.options, outputs, flags.output);
    context.console.print(`  writes ${disk}`);
    const sizes = new Map([...targets].map(([name, { source }]) => [name, source.columns]));
    const work = await BlockFolder.open(flags.output, identity, sizes, { restart: flags.restart });
    const fit = { flags, outputs, inputs, planned, settle, options: memory.options, started };
    await keptUnlessDone(work, context, () => fitIn(work, fit, context));
  } finally {
    await memory?.dispose();
    closeTargets(targets);
    recording.close();
  }
}

/** What a run reads. */
interface FitInputs {
  readonly recipe: Recipe;
  readonly recording: OpenedRecording;
  readonly asked: AskedBands | undefined;
  readonly targets: ReadonlyMap<string, OpenTargets>;
}

async function openInputs(
  path: string,
  files: readonly TargetFile[],
  flags: FitRecipeFlags,
  watched: WatchedFiles,
  context: Context,
): Promise<FitInputs> {
  const { console, signal } = context;
  const { subject, data, betas, mask } = flags;
  const names = files.map(({ name }) => name);
  const recipe = chooseRecipe(flags.recipe!, names, overridesOf(flags));
  console.progress('read the trials');
  const roi = regionsOf(recipe);
  const opened = await openAt(path, { subject, data, betas, mask, roi, watched }, context);
  try {
    const { recording, asked } = await withBands(opened, flags, signal);
    return { recipe, recording, asked, targets: await openTargetFiles(recipe, files, signal) };
  } catch (error) {
    opened.close();
    throw error;
  }
}

/** A run that is planned, down to the memory that it may take. */
interface PlannedFit {
  readonly flags: FitRecipeFlags;
  readonly outputs: FitOutputs;
  readonly inputs: FitInputs;
  /** Of responses that `settle` provides. */
  readonly planned: Plan;
  readonly settle: ReturnType<typeof toBePacked>[1];
  readonly options: DividedMemory['options'];
  /** Of `performance.now()`. */
  readonly started: number;
}

/** Packs the responses, fits the heads into a work folder, writes the outputs of it and removes it. */
async function fitIn(work: BlockFolder, fit: PlannedFit, context: Context): Promise<void> {
  const { flags, outputs, planned, settle, started } = fit;
  const { recipe, recording, targets, asked } = fit.inputs;
  const { console, signal } = context;
  if (work.done > 0) {
    console.warn(`goes on after ${work.done} of ${work.count} targets, made by an earlier run`);
  }
  const bad = flags.dropBadVoxels ? 'drop' : 'error';
  const responses = await packed(recording, work.file('responses.packed'), context, bad);
  settle(responses);
  // Columns are others where voxels were left out.
  const fitting =
    responses.voxels === recording.voxels ? planned : planRecipe(recipe, responses, targets, asked);
  const plan = await withUnitRows(fitting, signal);
  tellPlan(plan, targets, recording, console);
  const onProgress = showProgress(console, started);
  const outcome = await fitHeads(plan.designs, work, { ...fit.options, onProgress });
  const chosen = chosenOf(recording, responses.selection, flags);
  const described = await describeRun(plan, outcome, recording, responses, chosen);
  const notes = [
    ...responses.warnings,
    ...plan.warnings,
    ...outcome.warnings,
    ...rowWarnings(plan),
    ...(await constantNotes(targets, work)),
  ];
  let hash: string | undefined;
  if (outputs.bundle) {
    const { path, force } = outputs.bundle;
    const contents = await headsBundle(described, (head) => work.statistics(head));
    hash = await writeHeadsBundle(path, contents, work, termsOf(flags, {}), { force, ...context });
  }
  if (outputs.predictions) {
    const { path, force } = outputs.predictions;
    const about = { run: described, plan, recording, bundle: hash ?? 'none', terms: flags, notes };
    await writeRunPredictions(path, about, work, { force, ...context });
  }
  responses.close();
  await work.remove();
  const seconds = (performance.now() - started) / 1e3;
  tellFit(flags, { described, plan, hash, predictions: outputs.predictions?.path, notes, seconds }, context);
}

/** Runs what fills a work folder: where it fails or is interrupted, the folder keeps what was done, and the user is told. */
async function keptUnlessDone(
  work: BlockFolder,
  { console, signal }: Context,
  body: () => Promise<void>,
): Promise<void> {
  try {
    await body();
  } catch (error) {
    const kept = await work.abandon(error, signal.aborted);
    if (signal.aborted && kept !== undefined) throw new Interrupted(kept, error);
    if (kept !== undefined) console.warn(kept);
    throw error;
  }
}

/** Progress by head and phase, with the rate of arithmetic: waits for files do not count. */
function showProgress(console: Console, started: number): (progress: RunProgress) => void {
  return ({ phase, done, total, head, flops, fileSeconds }) => {
    const seconds = (performance.now() - started) / 1e3 - fileSeconds;
    const rate = flops > 1e9 ? `${(flops / 1e9 / seconds).toFixed(0)} GFLOP/s` : undefined;
    console.progress(head ? `${head}: ${phase}` : phase, done / total, rate);
  };
}
