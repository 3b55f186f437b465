import { stat } from 'node:fs/promises';
import { LAYOUTS, layoutOf, saveBundle } from '@fmri2image/core';
import { nodeFolder, writeFolderAtomic } from '@fmri2image/node';
import type { Command } from 'commander';
import { type Context, withContext } from '../context.ts';
import { type DeviceOptions, textList, usage, withDevice, withStudy } from '../options.ts';
import { prepareOutput } from '../output.ts';
import { readBands } from '../pipeline/bands.ts';
import { fitDecoder } from '../pipeline/fitDecoder.ts';
import { rowInWords } from '../pipeline/rowWidth.ts';
import { hasSplits, selectTrials } from '../pipeline/select.ts';
import { withTargets } from '../pipeline/targets.ts';
import { trainingRecord } from '../pipeline/training.ts';
import { type FitRecipeFlags, fitRecipe } from '../recipes/fitRecipe.ts';
import { checkRecipeUse, givenOnly, type RecipeFlags, withRecipe } from '../recipes/options.ts';
import { ownTargets, targetFiles } from '../recipes/targetFiles.ts';
import { openStudy } from '../study.ts';
import { type Terms, termsOf, withTerms } from '../terms.ts';
import { type FitFlags, fitSettings, withFit } from './fitOptions.ts';

interface Options extends DeviceOptions, FitFlags, Terms, Omit<RecipeFlags, keyof FitFlags> {
  data?: string;
  output: string;
  leaveOut?: string[];
  force?: boolean;
}

const RESPONSES =
  'a study.json, or the folder that holds one; with --recipe also a folder of NSD’s files, of MindEye’s, or a derivative of BIDS';

export function fitCommand(program: Command): void {
  const command = program
    .command('fit')
    .summary('fit a decoder to a study and save it as a bundle')
    .description(
      'Fits a decoder from voxels to the study’s pictures (or features, or with --targets labels to the labels of its trials) on its training trials: those of split "train", or all where the study states no splits. Ridge regression for any study; retinotopic, through receptive fields, where the stimulus never stops. With --recipe, the regressions of a published study from single-trial betas (NSD, MindEye’s files, a derivative of BIDS, a study) to features of the pictures in files; docs/recipes.md.',
    )
    .requiredOption('-o, --output <folder>', 'the bundle to write')
    .option('--leave-out <runs>', 'runs to leave out of the training, separated by commas', textList)
    .option('-f, --force', 'replace an existing bundle');
  withRecipe(withDevice(withTerms(withFit(withStudy(command, RESPONSES))))).action(
    (study: string, options: Options) => {
      checkRecipeUse(command, options.recipe !== undefined);
      if (options.recipe === undefined) {
        return withContext(options, async (context) => {
          await refuseRecording(study);
          return fit(study, options, context);
        });
      }
      const files = targetFiles(options.targets);
      const given: FitRecipeFlags = givenOnly(command, options, ['score', 'storage']);
      return withContext(options, (context) => fitRecipe(study, files, given, context));
    },
  );
}

/** Responses without a study are for recipes; so are files of features. */
async function refuseRecording(path: string): Promise<void> {
  const isFolder = await stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  const layout = isFolder ? await layoutOf(await nodeFolder(path, { followLinks: true })) : 'study';
  if (layout === undefined || layout === 'study') return;
  throw usage(`${path} is ${LAYOUTS[layout]}, no study: fit it with --recipe NAME and --targets NAME=FILE`);
}

async function fit(path: string, options: Options, context: Context): Promise<void> {
  const { console, signal, backend } = context;
  const started = performance.now();
  const output = await prepareOutput({
    path: options.output,
    kind: 'bundle',
    force: options.force,
    inputs: [path, options.data],
  });
  console.progress('read the study');
  const study = withTargets(await openStudy(path, options.data, signal), ownTargets(options.targets));
  for (const warning of study.warnings) console.warn(`note: ${warning}`);
  const split = hasSplits(study) ? 'train' : undefined;
  const trials = selectTrials(study, {
    split,
    runs: options.leaveOut,
    except: options.leaveOut !== undefined,
  });
  // Whether other trials will be tested on is known only where some are held out.
  const heldOut = split !== undefined || options.leaveOut !== undefined;
  const read = performance.now();
  const bands = await readBands(options, study, signal);
  const settings = fitSettings(options, heldOut ? 'no' : 'unknown', bands);
  const { decoder } = await fitDecoder(study, trials, settings, context);
  const fitted = performance.now();
  const contents = decoder.toBundle();
  const training = trainingRecord(study, trials);
  const toBundle = () => ({ ...contents, report: { ...contents.report, training } });
  let hash = '';
  await writeFolderAtomic(
    options.output,
    async (write) => {
      hash = await saveBundle({ toBundle }, write, termsOf(options, study));
    },
    { ...output, signal, onRepair: console.warn },
  );
  const { report } = contents;
  const seconds = { read: (read - started) / 1e3, fit: (fitted - read) / 1e3 };
  for (const warning of decoder.warnings) console.warn(`note: ${warning}`);
  console.result({
    bundle: options.output,
    contentHash: hash,
    trials: trials.length,
    report,
    seconds,
    device: backend.info.description,
  });
  console.print(
    `fitted ${decoder.kind} on ${trials.length} trials, ${rowInWords(contents.input)}, in ${seconds.fit.toFixed(2)} s (${backend.info.description})`,
  );
  console.print(`bundle ${options.output} (${hash.slice(0, 12)})`);
  decoder.dispose();
}
