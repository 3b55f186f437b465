import {
  type Backend,
  checkMemory,
  chooseRecipe,
  type DescribedRun,
  fitHeads,
  fittedSteps,
  headsBundle,
  headsConfigOf,
  type Json,
  type PackedRecording,
  type RecipeHead,
  type Recording,
  type RidgeForm,
  type RunOutcome,
  rowsInWords,
  type Study,
  targetBlock,
  VERSION,
  VOXEL_BLOCK,
} from '@fmri2image/core';
import { createBackend } from '@fmri2image/node';
import { gigabytes } from '../console.ts';
import { type Context, Interrupted } from '../context.ts';
import { backendOptions, type DeviceOptions } from '../options.ts';
import { prepareOutput } from '../output.ts';
import { provenanceOf } from '../pipeline/results.ts';
import { trainingRecord } from '../pipeline/training.ts';
import type { RunIdentity } from '../pipeline/workFolder.ts';
import { type Terms, termsOf } from '../terms.ts';
import { BlockFolder } from './blockFolder.ts';
import { writeHeadsBundle } from './bundleFiles.ts';
import { chosenOf } from './choices.ts';
import { deviceIdentity, fileIdentity, responsesIdentity, WatchedFiles } from './identity.ts';
import { describeItems } from './items.ts';
import { overridesOf, type RecipeFlags } from './options.ts';
import {
  closeTargets,
  type OpenTargets,
  openTargetFiles,
  type Plan,
  planRecipe,
  regionsOf,
  type TargetFile,
  withUnitRows,
} from './plan.ts';
import { writePredictions } from './predictionsFolder.ts';
import {
  inMemoryBytes,
  inputOf,
  type OpenedRecording,
  openAt,
  packed,
  sessionsOf,
  toBePacked,
} from './recording.ts';

export interface FitRecipeFlags extends DeviceOptions, RecipeFlags, Terms {
  data?: string;
  output: string;
  storage?: RidgeForm | 'auto';
  force?: boolean;
}

/** Fits the heads of a recipe: a bundle of their weights, or predictions of the test rows alone. */
export async function fitRecipe(
  path: string,
  files: readonly TargetFile[],
  flags: FitRecipeFlags,
  context: Context,
): Promise<void> {
  const { console, signal, backend } = context;
  const started = performance.now();
  const { keep } = flags;
  const output = await prepareOutput({
    path: flags.output,
    kind: keep === 'bundle' ? 'bundle' : 'folder of reconstructions',
    force: flags.force,
    inputs: [path, flags.data, ...files.map((file) => file.path)],
  });
  const recipe = chooseRecipe(
    flags.recipe!,
    files.map(({ name }) => name),
    overridesOf(flags),
  );
  console.progress('read the trials');
  const { subject, data, betas, mask } = flags;
  const watched = new WatchedFiles();
  const recording = await openAt(
    path,
    { subject, data, betas, mask, roi: regionsOf(recipe), watched },
    context,
  );
  const targets = await openTargetFiles(recipe, files, signal);
  let limited: Backend | undefined;
  try {
    const [unpacked, settle] = toBePacked(recording);
    const planned = planRecipe(recipe, unpacked, targets);
    const options = {
      backend,
      keep: keep === 'bundle' ? ('weights' as const) : keep,
      precision: recipe.precision,
      storage: flags.storage,
      memory: backendOptions(flags).memoryLimit,
      signal,
    };
    const resident = process.memoryUsage().rss + inMemoryBytes(recording);
    const device = checkMemory(planned.designs, options, resident);
    if (device !== undefined) {
      limited = await createBackend({ ...backendOptions(flags), memoryLimit: shareOf(backend, device) });
    }
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
        responses.voxels === recording.voxels ? planned : planRecipe(recipe, responses, targets);
      const plan = await withUnitRows(fitting, signal);
      for (const line of plan.designs[0]!.arrangement.counts) console.print(`  ${line}`);
      for (const [head, { source }] of targets) {
        console.print(`  rows of ${head}: ${rowsInWords(source, 'train', plan.pictures, recording)}`);
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
      if (keep === 'predictions')
        await predictionsOf(described, plan, recording, work, flags, notes, { ...output, ...context });
      responses.close();
      await work.remove();
      tell(flags, described, plan, hash, notes, (performance.now() - started) / 1e3, context);
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

/** Of the ceiling, which is of the process, a device that computes in its memory has a share; a GPU has memory of its own. */
export function shareOf({ name }: Pick<Backend, 'name'>, bytes: number): number | undefined {
  return name === 'cuda' ? undefined : Math.floor(bytes);
}

/** Everything that the numbers depend on: a run that was killed goes on only with the same. */
async function identityOf(
  { recipe, designs }: Plan,
  recording: OpenedRecording,
  files: readonly TargetFile[],
  watched: WatchedFiles,
  { keep, storage = 'auto' }: FitRecipeFlags,
  { backend, signal }: Context,
): Promise<RunIdentity> {
  const identity: Record<string, Json> = {
    version: VERSION,
    keep,
    storage,
    recipe: recipe.name,
    split: recipe.split,
    normalisation: recipe.normalisation,
    testAverage: recipe.testAverage,
    precision: recipe.precision,
    device: deviceIdentity(backend),
    voxelBlock: VOXEL_BLOCK,
    ...(await responsesIdentity(recording, watched, signal)),
  };
  for (const { name, what: _, shape: __, ...settings } of recipe.heads) {
    for (const [setting, value] of Object.entries(settings)) identity[`${name}.${setting}`] = value as Json;
  }
  // Products of other widths round differently, and their blocks begin elsewhere.
  for (const { design, heads } of designs) {
    for (const { head } of heads) identity[`${head.name}.targetBlock`] = targetBlock(design.train);
  }
  for (const { name, path, array } of files) {
    identity[`${name}.targets`] = await fileIdentity(path);
    if (array !== undefined) identity[`${name}.targets.array`] = array;
  }
  return identity;
}

async function describeRun(
  { recipe, designs }: Plan,
  outcome: RunOutcome,
  recording: Recording,
  responses: PackedRecording,
  choices: Readonly<Record<string, Json>>,
): Promise<DescribedRun> {
  const trained = new Set(
    designs.flatMap(({ arrangement }) => arrangement.train.flatMap(({ trials }) => [...trials])),
  );
  return {
    recipe,
    designs,
    outcome,
    input: await inputOf(responses),
    runs: sessionsOf(
      responses,
      [...trained].sort((a, b) => a - b),
    ),
    ledger: recording.ledger,
    report: {
      recording: {
        name: recording.name,
        ...(recording.subject !== undefined && { subject: recording.subject }),
        roi: regionsOf(recipe) ?? 'all',
        ...choices,
        counts: [...designs[0]!.arrangement.counts],
      },
      training: trainingRecord({ name: recording.name, trials: recording.trials } as unknown as Study, [
        ...trained,
      ]),
    },
  };
}

/** Oddities of voxels, which are known when they have been read. */
const rowWarnings = ({ designs }: Plan) => [...new Set(designs.flatMap(({ rows }) => rows.warnings))];

/** Of a standard deviation, relative to the mean: what float32 makes of a value that never changes. */
const CONSTANT = 1e-6;

/** Features that never change are predicted without a brain: of an encoder that failed, or of the wrong array. */
async function constantNotes(
  targets: ReadonlyMap<string, OpenTargets>,
  work: BlockFolder,
): Promise<readonly string[]> {
  const notes: string[] = [];
  for (const [name, { source }] of targets) {
    const { target_mean: mean, target_std: std } = await work.statistics(name);
    const constant = std.reduce((count, own, t) => count + (own <= CONSTANT * Math.abs(mean[t]!) ? 1 : 0), 0);
    if (constant === 0) continue;
    const all = `${constant} of ${std.length} values of ${name}`;
    notes.push(`${all} never change over the training rows (${source.name}): there is nothing to predict`);
  }
  return notes;
}

async function predictionsOf(
  run: DescribedRun,
  plan: Plan,
  recording: Recording,
  work: BlockFolder,
  flags: FitRecipeFlags,
  notes: readonly string[],
  context: Context & { readonly force: boolean },
): Promise<void> {
  const config = headsConfigOf(run);
  const { recipe, input, outcome } = run;
  const heads = await Promise.all(
    config.heads.map(async ({ name, shape }) => ({
      name,
      shape,
      targetMean: (await work.statistics(name)).target_mean,
    })),
  );
  await writePredictions(
    flags.output,
    {
      heads,
      items: describeItems(plan.items, recording, plan.pictures),
      provenance: provenanceOf(recording.name, 'ridge-heads', 'none', context.backend.info, notes),
      terms: termsOf(flags, {}),
      fold: {
        decoder: 'ridge-heads',
        voxels: input.voxels,
        selection: input.selection,
        preprocess: [],
        training: run.report.training,
        config: { ...config },
        report: { ...run.report, heads: outcome.heads.map((head) => ({ ...head })) as Json },
        ledger: fittedSteps(run),
      },
      run: { recipe: recipe.name, split: recipe.split, normalisation: recipe.normalisation },
    },
    work,
    context,
  );
}

const gridOf = (alpha: RecipeHead['alpha']) => (typeof alpha === 'number' ? [alpha] : alpha.grid);

function tell(
  { output, keep }: FitRecipeFlags,
  { outcome, recipe, input }: DescribedRun,
  plan: Plan,
  contentHash: string | undefined,
  notes: readonly string[],
  seconds: number,
  { console, backend }: Context,
): void {
  for (const note of notes) console.warn(`note: ${note}`);
  const { flops, fileSeconds, heads, numerics } = outcome;
  const peakMemoryBytes = process.resourceUsage().maxRSS * 1024;
  console.result({
    ...(keep === 'bundle' ? { bundle: output, contentHash } : { output, reconstructions: plan.items.length }),
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
  for (const { what, option } of recipe.quirks) console.print(`  of this recipe: ${what} (${option})`);
  console.print(
    `${recipe.title}, ${recipe.heads.length} ${recipe.heads.length === 1 ? 'head' : 'heads'}, in ${seconds.toFixed(1)} s (${fileSeconds.toFixed(1)} s of it waiting for files), at most ${gigabytes(peakMemoryBytes)} of memory (${backend.info.description})`,
  );
  console.print(
    keep === 'bundle'
      ? `bundle ${output} (${contentHash!.slice(0, 12)})`
      : `predictions of ${plan.items.length} test rows in ${output}`,
  );
}
