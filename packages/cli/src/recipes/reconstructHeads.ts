import {
  arrange,
  designOf,
  F2iError,
  finishPredictions,
  type HeadRenormalisation,
  type Json,
  NORMALISATIONS,
  type NormalisationName,
  openBundle,
  type PackedRecording,
  type RidgeHeadsDecoder,
  type Rows,
  readModel,
  renormalisationStep,
  SPLIT_NAMES,
  VERSION,
} from '@fmri2image/core';
import { nodeFolder } from '@fmri2image/node';
import type { Command } from 'commander';
import type { ReconstructFlags } from '../commands/reconstruct.ts';
import { type Context, Interrupted } from '../context.ts';
import { backendOptions, usage } from '../options.ts';
import { prepareOutput } from '../output.ts';
import { provenanceOf } from '../pipeline/results.ts';
import { termsOf } from '../terms.ts';
import { BlockFolder } from './blockFolder.ts';
import { readChoices } from './choices.ts';
import { checkPredictionsDisk } from './disk.ts';
import { deviceIdentity, responsesIdentity, WatchedFiles } from './identity.ts';
import { describeItems } from './items.ts';
import { itemsOf, named, repeatsOf, splitOf } from './plan.ts';
import { writePredictions } from './predictionsFolder.ts';
import { inputOf, openAt, packed } from './recording.ts';

/** Options of `reconstruct` that a recipe’s bundle has no use for: its split says what the test rows are. */
const FOREIGN = [
  'runs',
  'trials',
  'all',
  'average',
  'stage',
  'precision',
  'repeats',
  'seed',
  'noise',
  'model',
];

/** Options of other bundles are not passed over in silence. */
export function refuseForeign(command: Command): void {
  const given = command.options.filter(
    (option) =>
      FOREIGN.includes(option.attributeName()) &&
      command.getOptionValueSource(option.attributeName()) === 'cli',
  );
  if (given.length === 0) return;
  const names = given.map(({ long }) => long).join(', ');
  throw usage(`${names}: nothing to do with a bundle of a recipe, whose split says what the test rows are`);
}

interface Flags extends ReconstructFlags {
  renormalise?: HeadRenormalisation;
}

/** Predictions of the test rows by a bundle of a recipe, head by head. */
export async function reconstructHeads(
  bundle: string,
  path: string,
  options: Flags,
  context: Context,
): Promise<void> {
  const { console, signal, backend } = context;
  const started = performance.now();
  const output = await prepareOutput({
    path: options.output,
    kind: 'folder of reconstructions',
    force: options.force,
    inputs: [bundle, path, options.data],
  });
  console.progress('open the bundle');
  const folder = await nodeFolder(bundle, { onRepair: console.warn });
  const model = await readModel(folder, signal);
  const of = await readChoices(model.report, `${bundle}/model.json`);
  const decoder = (await openBundle(folder, {
    backend,
    memory: { limit: backendOptions(options).memoryLimit },
    signal,
    onProgress: ({ phase, done, total }) => console.progress(`${phase} ${bundle}`, done / total),
  })) as RidgeHeadsDecoder;
  const watched = new WatchedFiles();
  const recording = await openAt(
    path,
    { ...of, subject: options.subject ?? of.subject, data: options.data, watched },
    context,
  );
  const { config } = decoder;
  const by = (head: { renormalise: HeadRenormalisation }) => options.renormalise ?? head.renormalise;
  try {
    const input = await inputOf(recording);
    if (
      input.voxels !== model.input.voxels ||
      (input.selectionSha256 !== model.input.selectionSha256 && !options.allowOtherVoxels)
    ) {
      throw new F2iError('INVALID_ARGUMENT', 'the bundle was fitted on other voxels than the recording has', {
        file: `${bundle}/model.json`,
        field: input.voxels === model.input.voxels ? 'input.selectionSha256' : 'input.voxels',
        expected: `${model.input.voxels} (${model.input.selection})`,
        found: `${input.voxels} (${input.selection})`,
      });
    }
    const sizes = new Map(
      config.heads.map(({ name, shape }) => [name, shape.reduce((all, extent) => all * extent, 1)]),
    );
    const identity: Record<string, Json> = {
      version: VERSION,
      bundle: model.contentHash,
      device: deviceIdentity(backend),
      ...(await responsesIdentity(recording, watched, signal)),
    };
    for (const head of config.heads) identity[`${head.name}.renormalise`] = by(head);
    const arrangement = arrange(recording, {
      split: named(config.split, SPLIT_NAMES, 'config.split'),
      average: { train: config.designs[0]!.average, test: config.testAverage },
    });
    const items = itemsOf(arrangement);
    const disk = await checkPredictionsDisk(recording, items.length, sizes, options.output);
    console.print(`writes ${disk}`);
    const work = await BlockFolder.open(options.output, identity, sizes, { restart: options.restart });
    try {
      if (work.done > 0) {
        console.warn(`goes on after ${work.done} of ${work.count} targets, made by an earlier run`);
      }
      const responses = await packed(recording, work.file('responses.packed'), context);
      const rows = await testRows(responses, arrangement, config, signal);
      const groups = config.testAverage === 'predictions' ? repeatsOf(arrangement) : undefined;
      const left = new Map(config.heads.map(({ name }) => [name, work.startOf(name)]));
      const from = (head: string) => left.get(head)!;
      for await (const block of decoder.blocks(rows, { from, signal })) {
        const { head, statistics, values } = block;
        const stored = await work.head({
          name: head.name,
          shape: head.shape,
          targets: sizes.get(head.name)!,
          predictions: { rows: items.length },
        });
        const predictions = finishPredictions(values, rows.shape[0]!, {
          renormalise: by(head),
          statistics,
          groups,
        });
        await stored.write(block.from, block.to, { predictions }, statistics);
        console.progress('reconstruct', work.done / work.count, head.name);
      }
      const heads = await Promise.all(
        config.heads.map(async ({ name, shape }) => ({
          name,
          shape,
          targetMean: (await work.statistics(name)).target_mean,
        })),
      );
      const { warnings } = recording;
      const { preprocess: _, ...described } = model.input;
      const outputs = await writePredictions(
        options.output,
        {
          heads,
          items: describeItems(items, responses, splitOf(arrangement)),
          provenance: provenanceOf(recording.name, model.kind, model.contentHash, backend.info, warnings),
          terms: termsOf({}, model),
          fold: {
            decoder: model.kind,
            voxels: described.voxels,
            selection: described.selection,
            preprocess: [],
            training: model.report.training,
            config: model.config,
            report: model.report,
            ledger: [
              ...model.ledger,
              ...config.heads.flatMap((head) =>
                by(head) === head.renormalise ? [] : renormalisationStep(head.name, by(head), []),
              ),
            ],
          },
          run: { recipe: config.recipe, split: config.split, normalisation: config.normalisation },
        },
        work,
        { ...output, ...context },
      );
      responses.close();
      await work.remove();
      const seconds = (performance.now() - started) / 1e3;
      for (const warning of warnings) console.warn(`note: ${warning}`);
      console.result({ output: options.output, reconstructions: items.length, outputs, seconds });
      console.print(
        `${items.length} test rows in ${options.output} (${outputs.map(({ file }) => file).join(', ')}), in ${seconds.toFixed(2)} s, ${backend.info.description}`,
      );
    } catch (error) {
      const kept = await work.abandon(error, signal.aborted);
      if (signal.aborted && kept !== undefined) throw new Interrupted(kept, error);
      if (kept !== undefined) console.warn(kept);
      throw error;
    }
  } finally {
    recording.close();
    decoder.dispose();
  }
}

/** Voxels that are read at once. */
const VOXELS_AT_ONCE = 1024;

/** Test rows as the bundle takes them: betas as they were read, or after the normalisation by sessions. */
async function testRows(
  responses: PackedRecording,
  arrangement: ReturnType<typeof arrange>,
  { input, normalisation }: RidgeHeadsDecoder['config'],
  signal: AbortSignal,
): Promise<Rows> {
  const known = Object.keys(NORMALISATIONS) as NormalisationName[];
  const name = input === 'betas' ? 'none' : named(normalisation, known, 'config.normalisation');
  const design = designOf(responses, arrangement, name);
  const data = new Float32Array(design.test * design.voxels);
  for (let from = 0; from < design.voxels; from += VOXELS_AT_ONCE) {
    const to = Math.min(design.voxels, from + VOXELS_AT_ONCE);
    const { test } = await design.read(from, to, signal);
    for (let row = 0; row < design.test; row++) {
      data.set(test.subarray(row * (to - from), (row + 1) * (to - from)), row * design.voxels + from);
    }
  }
  return { data, shape: [design.test, design.voxels] };
}
