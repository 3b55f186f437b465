import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type BundleContents,
  HEADS_KIND,
  MODEL_FILE,
  openBundle,
  preparationOf,
  prepareStudy,
  readBundle,
  readModel,
  type Study,
} from '@fmri2image/core';
import { nodeFolder, writeFolderAtomic } from '@fmri2image/node';
import { type Command, InvalidArgumentError } from 'commander';
import { type Context, withContext } from '../context.ts';
import { type DeviceOptions, textList, usage, withDevice } from '../options.ts';
import { prepareOutput } from '../output.ts';
import { isConverted } from '../pipeline/converted.ts';
import { meanTarget } from '../pipeline/fit.ts';
import { foldRecord } from '../pipeline/folds.ts';
import { averageRepeats, reconstructTrials } from '../pipeline/reconstruct.ts';
import { provenanceOf, type Results, writeResults } from '../pipeline/results.ts';
import { hasSplits, selectTrials } from '../pipeline/select.ts';
import { withLabelsOf } from '../pipeline/targets.ts';
import { checkRepetitionTime, otherVoxels, seenBy, trainedTrials } from '../pipeline/training.ts';
import { type RecipeFlags, renormaliseOption } from '../recipes/options.ts';
import { reconstructHeads, refuseForeign } from '../recipes/reconstructHeads.ts';
import { openStudy } from '../study.ts';
import { termsOf } from '../terms.ts';
import { type ConvertedFlags, refuseConvertedFlags, withConverted } from './convertedOptions.ts';
import { reconstructConverted } from './reconstructConverted.ts';

export interface ReconstructFlags extends DeviceOptions, ConvertedFlags, Pick<RecipeFlags, 'renormalise'> {
  data?: string;
  output: string;
  runs?: string[];
  trials?: number[];
  all?: boolean;
  average?: boolean;
  allowOtherVoxels?: boolean;
  force?: boolean;
}

export function reconstructCommand(program: Command): void {
  const command = program
    .command('reconstruct')
    .summary('reconstruct pictures or features from responses with a decoder')
    .description(
      'Reconstructs the study’s test trials: those of split "test", or all where the study states no splits. Writes PNGs, all values as npy, and reconstructions.json, which says what each is and how it was made. A bundle of a published model (fmri2image convert) gives features: tokens, latents, samples of its prior; its long runs can be stopped, or killed, and go on when the same command is given again. So do those of a bundle of a recipe (fit --recipe), which predicts the test rows of its split from the recording that it was fitted on.',
    )
    .argument('<bundle>', 'a fitted decoder, or the converted weights of a published model')
    .argument(
      '<study>',
      'a study.json, or the folder that holds one; of recipes and published models also files of NSD',
    )
    .option('--data <folder>', 'folder of the paths that begin with "data:"')
    .requiredOption('-o, --output <folder>', 'the folder to write')
    .option('--runs <names>', 'trials of these runs alone, separated by commas', textList)
    .option('--trials <list>', 'these trials alone, counted from 1', trialList)
    .option('--all', 'all trials, those the decoder was fitted on as well')
    .option('--average', 'average the repeats of a stimulus')
    .option('--allow-other-voxels', 'take voxels that the decoder was not fitted on, if they are as many')
    .option('-f, --force', 'replace an existing folder');
  withConverted(command);
  command.addOption(renormaliseOption('of a recipe: '));
  withDevice(command).action((bundle: string, study: string, options: ReconstructFlags) =>
    withContext(options, async (context) => {
      await refuseSwapped(bundle, study);
      const folder = await nodeFolder(bundle, { onRepair: context.console.warn });
      const { kind } = await readModel(folder, context.signal);
      if (kind === HEADS_KIND) {
        refuseForeign(command);
        return reconstructHeads(bundle, study, options, context);
      }
      if (options.renormalise !== undefined)
        throw usage(`--renormalise is for bundles of recipes; this is a ${kind} decoder`);
      if (isConverted(kind)) return reconstructConverted(bundle, study, options, context, chooseTrials);
      refuseConvertedFlags(kind, options);
      return reconstruct(bundle, study, options, context);
    }),
  );
}

function trialList(text: string): number[] {
  const values = text.split(',').map((part) => Number(part) - 1);
  if (values.some((value) => !Number.isInteger(value) || value < 0)) {
    throw new InvalidArgumentError('expected whole numbers above 0, separated by commas');
  }
  if (new Set(values).size !== values.length) throw new InvalidArgumentError('expected each trial once');
  return values;
}

/** Both are folders: the wrong order is an easy mistake. */
async function refuseSwapped(bundle: string, study: string): Promise<void> {
  const isBundle = (path: string) =>
    stat(join(path, MODEL_FILE)).then(
      () => true,
      () => false,
    );
  if ((await isBundle(bundle)) || !(await isBundle(study))) return;
  throw usage(`the bundle comes first, then the study: fmri2image reconstruct ${study} ${bundle}`);
}

async function reconstruct(
  bundle: string,
  path: string,
  options: ReconstructFlags,
  context: Context,
): Promise<void> {
  const { console, signal, backend } = context;
  const output = await prepareOutput({
    path: options.output,
    kind: 'folder of reconstructions',
    force: options.force,
    inputs: [bundle, path, options.data],
  });
  console.progress('read the bundle and the study');
  const folder = await nodeFolder(bundle, { onRepair: console.warn });
  const { model, contents } = await readBundle(folder, signal);
  const given = await openStudy(path, options.data, signal);
  checkRepetitionTime(model.input.repetitionTime, given, `${bundle}/model.json`);
  const decoder = await openBundle(folder, { backend, signal });
  const study = withLabelsOf(given, decoder.output);
  try {
    const prepared = prepareStudy(study, preparationOf(contents, `${bundle}/model.json`));
    const warnings = [
      ...decoder.warnings,
      ...(await otherVoxels(
        model.input,
        study,
        prepared.voxels.shape[1]!,
        `${bundle}/model.json`,
        options.allowOtherVoxels ?? false,
      )),
    ];
    const labels = decoder.output.kind === 'labels' ? decoder.output.names : undefined;
    if (labels && options.average) {
      throw usage(
        '--average averages repeats of a stimulus; labels are decoded trial by trial, and evaluate scores blocks as well',
      );
    }
    const trials = chooseTrials(study, options);
    const started = performance.now();
    let reconstructed = await reconstructTrials(study, prepared, decoder, trials, context, {
      seen: seenBy(model.report.training, study),
    });
    const seconds = (performance.now() - started) / 1e3;
    if (options.average) reconstructed = averageRepeats(reconstructed);
    const results: Results = {
      ...reconstructed,
      meanPicture: meanOf(contents, study),
      kind: decoder.output.kind,
      labels,
      folds: [foldRecord(decoder, { training: model.report.training })],
      provenance: provenanceOf(study.name, decoder.kind, model.contentHash, backend.info, warnings),
      terms: termsOf({}, model),
    };
    await writeFolderAtomic(options.output, (write) => writeResults(results, write, study), {
      ...output,
      signal,
      onRepair: console.warn,
    });
    for (const warning of warnings) console.warn(`note: ${warning}`);
    const count = results.items.length;
    console.result({
      output: options.output,
      reconstructions: count,
      seconds,
      provenance: results.provenance,
    });
    console.print(
      `${count} reconstructions in ${options.output} (${seconds.toFixed(2)} s, ${backend.info.description})`,
    );
  } finally {
    decoder.dispose();
  }
}

/** The mean training picture, out of the bundle or else of this study, if it is the one that was trained on. */
function meanOf({ tensors, output, report }: BundleContents, study: Study): Results['meanPicture'] {
  const kept = tensors.find(({ name }) => name === 'target_mean');
  if (kept) {
    return { data: Float32Array.from(kept.data as Float32Array), shape: [1, ...output.shape] };
  }
  const training = study.stimuli && trainedTrials(report.training, study);
  return training && training.length > 0 ? meanTarget(study, training) : undefined;
}

function chooseTrials(study: Study, options: ReconstructFlags): number[] {
  if (options.trials) {
    const count = study.trials.length;
    const bad = options.trials.find((trial) => trial >= count);
    if (bad !== undefined) throw usage(`no trial ${bad + 1}: ${study.name} has ${count}`);
    return options.trials;
  }
  const split = hasSplits(study) && !options.all && !options.runs ? 'test' : undefined;
  return selectTrials(study, { split, runs: options.runs });
}
