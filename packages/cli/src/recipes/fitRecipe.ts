import { resolve } from 'node:path';
import {
  type Backend,
  checkGpuMemory,
  checkMemory,
  chooseRecipe,
  type DescribedRun,
  fitHeads,
  headsBundle,
  type RecipeHead,
  type RidgeForm,
  rowsInWords,
} from '@fmri2image/core';
import { createBackend } from '@fmri2image/node';
import { gigabytes } from '../console.ts';
import { type Context, Interrupted } from '../context.ts';
import { backendOptions, type DeviceOptions, usage } from '../options.ts';
import { prepareOutput } from '../output.ts';
import { checkBandDraws } from '../pipeline/bands.ts';
import { type Terms, termsOf } from '../terms.ts';
import { withBands } from './bands.ts';
import { BlockFolder } from './blockFolder.ts';
import { writeHeadsBundle } from './bundleFiles.ts';
import { chosenOf } from './choices.ts';
import { constantNotes, describeRun, rowWarnings } from './describeRun.ts';
import { identityOf } from './fitIdentity.ts';
import { gpuCeiling } from './gpuMemory.ts';
import { WatchedFiles } from './identity.ts';
import { overridesOf, type RecipeFlags } from './options.ts';
import {
  closeTargets,
  openTargetFiles,
  type Plan,
  planRecipe,
  regionsOf,
  type TargetFile,
  withUnitRows,
} from './plan.ts';
import { isPublished, type Mark } from './published.ts';
import { inMemoryBytes, openAt, packed, toBePacked } from './recording.ts';
import { writeRunPredictions } from './runPredictions.ts';

export interface FitRecipeFlags extends DeviceOptions, RecipeFlags, Terms {
  data?: string;
  output: string;
  storage?: RidgeForm | 'auto';
  force?: boolean;
}

/** Fits the heads of a recipe: a bundle of their weights, predictions of the test rows, or both. */
export async function fitRecipe(
  path: string,
  files: readonly TargetFile[],
  flags: FitRecipeFlags,
  context: Context,
): Promise<void> {
  const { console, signal, backend } = context;
  const started = performance.now();
  const { keep } = flags;
  checkPlaces(flags);
  checkBandDraws(flags);
  const inputs = [path, flags.data, ...files.map((file) => file.path)];
  const output = await prepareOutput({
    path: flags.output,
    kind: keep === 'bundle' ? 'bundle' : 'folder of reconstructions',
    force: await mayReplace(flags.output, keep === 'bundle' ? 'model.json' : 'reconstructions.json', flags),
    inputs: [...inputs, flags.predictions],
  });
  const predicted = await predictionsOutput(flags, output.force, inputs);
  const recipe = chooseRecipe(
    flags.recipe!,
    files.map(({ name }) => name),
    overridesOf(flags),
  );
  console.progress('read the trials');
  const { subject, data, betas, mask } = flags;
  const watched = new WatchedFiles();
  const opened = await openAt(path, { subject, data, betas, mask, roi: regionsOf(recipe), watched }, context);
  const { recording, asked } = await withBands(opened, flags, signal).catch((error) => {
    opened.close();
    throw error;
  });
  const targets = await openTargetFiles(recipe, files, signal);
  let limited: Backend | undefined;
  try {
    const gpu = gpuCeiling(backend, flags.gpuMemory);
    const [unpacked, settle] = toBePacked(recording);
    const planned = planRecipe(recipe, unpacked, targets, asked);
    const options = {
      backend,
      keep: keep === 'predictions' ? keep : predicted ? ('both' as const) : ('weights' as const),
      precision: recipe.precision,
      storage: flags.storage,
      memory: backendOptions(flags).memoryLimit,
      deviceMemory: gpu?.bytes,
      signal,
    };
    const resident = process.memoryUsage().rss + inMemoryBytes(recording);
    const device = checkMemory(planned.designs, options, resident);
    if (gpu) checkGpuMemory(planned.designs, options, gpu);
    // A device that computes in the memory of the process has a share of its ceiling; a GPU has memory of its own.
    const memoryLimit = gpu?.bytes ?? (device && Math.floor(device));
    if (memoryLimit !== undefined) limited = await createBackend({ ...backendOptions(flags), memoryLimit });
    const sizes = new Map([...targets].map(([name, { source }]) => [name, source.columns]));
    const identity = await identityOf(planned, recording, files, watched, flags, context);
    // Everything that can be refused has been, before anything is made.
    const work = await BlockFolder.open(flags.output, identity, sizes, { restart: flags.restart });
    try {
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
      for (const line of plan.designs[0]!.arrangement.counts) console.print(`  ${line}`);
      for (const [head, { source }] of targets) {
        console.print(`  rows of ${head}: ${rowsInWords(source, 'train', plan.pictures, recording)}`);
      }
      for (const { heads, bandCounts } of plan.designs) {
        const [first, ...others] = bandCounts;
        if (first !== undefined) console.print(`  bands of ${heads[0]!.head.name}: ${first}`);
        for (const other of others) console.print(`    ${other}`);
      }
      const outcome = await fitHeads(plan.designs, work, {
        ...options,
        backend: limited ?? backend,
        resident,
        onProgress: ({ phase, done, total, head, flops, fileSeconds }) => {
          const seconds = (performance.now() - started) / 1e3 - fileSeconds;
          const rate = flops > 1e9 ? `${(flops / 1e9 / seconds).toFixed(0)} GFLOP/s` : undefined;
          console.progress(head ? `${head}: ${phase}` : phase, done / total, rate);
        },
      });
      const chosen = chosenOf(recording, responses.selection, flags);
      const described = await describeRun(plan, outcome, recording, responses, chosen);
      const notes = [
        ...responses.warnings,
        ...plan.warnings,
        ...outcome.warnings,
        ...rowWarnings(plan),
        ...(await constantNotes(targets, work)),
      ];
      const hash =
        keep === 'bundle'
          ? await writeHeadsBundle(
              flags.output,
              await headsBundle(described, (head) => work.statistics(head)),
              work,
              termsOf(flags, {}),
              { ...output, ...context },
            )
          : undefined;
      if (predicted !== undefined) {
        const about = { run: described, plan, recording, bundle: hash ?? 'none', terms: flags, notes };
        await writeRunPredictions(predicted.path, about, work, { force: predicted.force, ...context });
      }
      responses.close();
      await work.remove();
      tell(
        flags,
        described,
        plan,
        hash,
        predicted?.path,
        notes,
        (performance.now() - started) / 1e3,
        context,
      );
    } catch (error) {
      const kept = await work.abandon(signal.aborted);
      if (signal.aborted && kept !== undefined) throw new Interrupted(kept, error);
      if (kept !== undefined) console.warn(kept);
      throw error;
    }
  } finally {
    await limited?.dispose();
    closeTargets(targets);
    recording.close();
  }
}

/** @throws USAGE for two places of predictions, and for one place of two outputs */
function checkPlaces({ keep, output, predictions }: FitRecipeFlags): void {
  if (predictions === undefined) return;
  if (keep === 'predictions')
    throw usage('--keep predictions writes them to --output: leave out --predictions');
  if (resolve(predictions) !== resolve(output)) return;
  throw usage(`--output and --predictions are the same folder (${output}): name two`);
}

/** `--force`, or what lies there is of this run, which was killed between its outputs and goes on: `--restart` does not. */
const mayReplace = async (path: string, mark: Mark, { force, restart, output }: FitRecipeFlags) =>
  force || (!restart && (await isPublished(path, mark, output)));

/**
 * Where predictions go: with `--keep predictions` they are the output, with `--predictions FOLDER` beside a bundle.
 *
 * @throws USAGE for a folder that may not be replaced
 */
async function predictionsOutput(
  flags: FitRecipeFlags,
  outputForce: boolean,
  inputs: readonly (string | undefined)[],
): Promise<{ path: string; force: boolean } | undefined> {
  const { keep, output, predictions: path } = flags;
  if (path === undefined) return keep === 'predictions' ? { path: output, force: outputForce } : undefined;
  const force = await mayReplace(path, 'reconstructions.json', flags);
  const kind = 'folder of reconstructions';
  const prepared = await prepareOutput({ path, kind, force, inputs: [...inputs, output] });
  return { path, ...prepared };
}

/** What each band weighs, and whether that is worth more than ridge without bands. */
function bandsInWords({ bands: all }: DescribedRun['outcome'], { designs }: Plan): string[] {
  return all.flatMap((found, d) => {
    if (!found) return [];
    const { bands, candidates, score, chosen, plain } = found.weights;
    const list = bands.map(({ name, weight }) => `${name} ${Number(weight.toPrecision(3))}`).join(', ');
    return `bands of ${designs[d]!.heads[0]!.head.name} weigh ${list} (of ${candidates} candidates; mean ${score} ${Number(chosen.toPrecision(3))}, equal weights ${Number(plain.toPrecision(3))})`;
  });
}

const gridOf = (alpha: RecipeHead['alpha']) => (typeof alpha === 'number' ? [alpha] : alpha.grid);

function tell(
  { output, keep }: FitRecipeFlags,
  { outcome, recipe, input }: DescribedRun,
  plan: Plan,
  contentHash: string | undefined,
  predictions: string | undefined,
  notes: readonly string[],
  seconds: number,
  { console, backend }: Context,
): void {
  for (const note of notes) console.warn(`note: ${note}`);
  const { flops, fileSeconds, heads, numerics } = outcome;
  const peakMemoryBytes = process.resourceUsage().maxRSS * 1024;
  console.result({
    ...(keep === 'bundle' ? { bundle: output, contentHash } : { output }),
    ...(predictions !== undefined && { predictions, reconstructions: plan.items.length }),
    recipe: recipe.name,
    heads,
    numerics,
    trainingRows: plan.designs.map(({ design }) => design.train),
    testRows: plan.items.length,
    voxels: input.voxels,
    counts: plan.designs[0]!.arrangement.counts,
    flops,
    seconds: { all: seconds, files: fileSeconds },
    peakMemoryBytes,
    device: backend.info.description,
  });
  for (const { head } of plan.designs.flatMap((design) => design.heads)) {
    const made = heads.find(({ name }) => name === head.name)!;
    const alpha =
      typeof made.alpha === 'number'
        ? `alpha ${made.alpha}`
        : `alpha chosen of ${gridOf(head.alpha).join(', ')}: ${Object.keys(made.alpha.chosen).join(', ')}`;
    console.print(`  ${head.name} [${head.shape.join(', ')}]: ${alpha}, ${made.storage}`);
  }
  for (const line of bandsInWords(outcome, plan)) console.print(`  ${line}`);
  for (const { what, option } of recipe.quirks) console.print(`  of this recipe: ${what} (${option})`);
  console.print(
    `${recipe.title}, ${recipe.heads.length} ${recipe.heads.length === 1 ? 'head' : 'heads'}, in ${seconds.toFixed(1)} s (${fileSeconds.toFixed(1)} s of it waiting for files), at most ${gigabytes(peakMemoryBytes)} of memory (${backend.info.description})`,
  );
  if (keep === 'bundle') console.print(`bundle ${output} (${contentHash!.slice(0, 12)})`);
  if (predictions !== undefined) {
    console.print(`predictions of ${plan.items.length} test rows in ${predictions}`);
  }
}
