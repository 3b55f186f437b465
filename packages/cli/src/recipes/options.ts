import {
  AVERAGES,
  type Average,
  RECIPE_NAMES,
  RENORMALISATIONS,
  type RecipeOverrides,
} from '@fmri2image/core';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { FitFlags } from '../commands/fitOptions.ts';
import { seedNumber, usage } from '../options.ts';
import { sizeInBytes } from '../sizes.ts';

/** What a recipe leaves behind. */
export const KEEPS = ['bundle', 'predictions'] as const;

/** Options of `fit --recipe`. */
export interface RecipeFlags extends Partial<Pick<FitFlags, 'alphas' | 'alphaFor' | 'score' | 'folds'>> {
  recipe?: string;
  subject?: string;
  roi?: string;
  betas?: string;
  mask?: string;
  dropBadVoxels?: boolean;
  split?: string;
  normalisation?: string;
  average?: readonly [train: Exclude<Average, 'predictions'>, test: Average];
  intercept?: boolean;
  foldsBy?: 'trial' | 'picture';
  shuffleFolds?: number;
  renormalise?: 'none' | (typeof RENORMALISATIONS)[number];
  precision?: 'auto' | 'f32' | 'f64' | 'refined';
  keep: (typeof KEEPS)[number];
  predictions?: string;
  gpuMemory?: number;
  atlas?: string;
  atlasLabels?: string;
  region?: string[];
  bands?: string;
  bandDraws?: number;
  restart?: boolean;
}

/** Names of those options, as commander has them. */
const RECIPE_ONLY = [
  'subject',
  'roi',
  'betas',
  'mask',
  'atlas',
  'atlasLabels',
  'region',
  'dropBadVoxels',
  'shuffleFolds',
  'split',
  'normalisation',
  'average',
  'intercept',
  'foldsBy',
  'renormalise',
  'precision',
  'keep',
  'predictions',
  'gpuMemory',
  'restart',
];
/** What `fit` takes otherwise, and a recipe has no use for. */
const FOREIGN = ['decoder', 'groupBy', 'delays', 'detrend', 'zscore', 'standardize', 'leaveOut'];

export function withRecipe(command: Command): Command {
  return command
    .optionsGroup('Recipes (docs/recipes.md):')
    .addOption(
      new Option(
        '--recipe <name>',
        'regress features of pictures (--targets NAME=FILE) as a published study did: its voxels, split, penalties; `fmri2image recipes` lists them',
      ).choices([...RECIPE_NAMES]),
    )
    .option('--subject <n>', 'the subject of NSD, or the participant of a derivative of BIDS')
    .option('--roi <names>', 'voxels of these ROIs ("streams:early+ventral"), or "all"')
    .option('--betas <folder>', 'of NSD: the GLM’s betas, where several are there: betas_fithrf')
    .option(
      '--mask <image>',
      'voxels above 0 of this image, of all that the files hold (--roi chooses among them)',
    )
    .option('--atlas <image>', 'ROIs for --bands and --roi: an image of labels on the grid of the responses')
    .option('--atlas-labels <table>', 'names of its labels: columns index and name')
    .option(
      '--region <name=image>',
      'an ROI for --bands and --roi: voxels above 0 of an image; may be repeated',
      (value: string, before: string[] = []) => [...before, value],
    )
    .option('--drop-bad-voxels', 'leave out voxels with values that are not finite in some trial')
    .option('--split <name>', 'brain-diffuser, mindeye2-new-test, ..., or "split": of the study')
    .option('--normalisation <name>', 'how voxels are z-scored (docs/recipes.md)')
    .option(
      '--average <stage>',
      'where repeats are averaged, of training and test rows: none, betas, normalised, or for the test predictions; two by a comma: "none,betas"',
      averages,
    )
    .option('--intercept', 'centre voxels and targets')
    .option('--no-intercept', 'do not centre them')
    .addOption(
      new Option('--folds-by <what>', 'keep all rows of a picture in one fold, or not').choices([
        'trial',
        'picture',
      ]),
    )
    .option(
      '--shuffle-folds <seed>',
      'deal rows to folds at random, by this seed, in place of blocks of successive rows',
      seedNumber,
    )
    .addOption(renormaliseOption())
    .addOption(
      new Option('--precision <name>', 'arithmetic of the solution').choices([
        'auto',
        'f32',
        'f64',
        'refined',
      ]),
    )
    .addOption(
      new Option(
        '--keep <what>',
        'a bundle of the weights, or predictions of the test rows alone, which need no weights',
      )
        .choices([...KEEPS])
        .default('bundle'),
    )
    .option(
      '--predictions <folder>',
      'beside the bundle, predictions of the test rows, from the same pass over the features',
    )
    .option(
      '--gpu-memory <size>',
      'ceiling of the memory of a GPU: 30GB, 8GiB (default: 95 % of what is free on it)',
      sizeInBytes,
    )
    .option('--restart', 'throw away what an interrupted run left');
}

export const renormaliseOption = (prefix = ''): Option =>
  new Option(
    '--renormalise <by>',
    `${prefix}give predictions the mean and spread of the training targets, by statistics of training predictions, or of the test predictions themselves (transductive, as published by Brain-Diffuser and MIRAGE)`,
  ).choices(['none', ...RENORMALISATIONS]);

/** Options of the other way to fit are not passed over in silence. */
export function checkRecipeUse(command: Command, isRecipe: boolean): void {
  const given = (isRecipe ? FOREIGN : RECIPE_ONLY).filter(
    (name) => command.getOptionValueSource(name) === 'cli',
  );
  if (given.length === 0) return;
  const long = given.map((name) => command.options.find((option) => option.attributeName() === name)!.long);
  const names = [...new Set(long)].join(', ');
  const what = isRecipe ? `nothing to do with --recipe` : `only used with --recipe`;
  throw usage(`${names}: ${what}`);
}

/** Only what the user gave: a recipe has its own defaults. */
export function givenOnly<T extends object>(
  command: Command,
  flags: T,
  names: readonly (keyof T & string)[],
): T {
  const kept = { ...flags };
  for (const name of names) if (command.getOptionValueSource(name) !== 'cli') delete kept[name];
  return kept;
}

export function overridesOf(flags: RecipeFlags): RecipeOverrides {
  const { split, normalisation, average, roi, alphas, alphaFor, score, folds, foldsBy } = flags;
  return {
    split,
    normalisation,
    average: average?.[0],
    testAverage: average?.[1],
    precision: flags.precision,
    // Whoever brings a mask means all of its voxels.
    roi: roi ?? (flags.mask === undefined ? undefined : 'all'),
    alphas,
    perTarget: alphaFor && alphaFor === 'each',
    score,
    folds,
    foldsTogether: foldsBy && foldsBy === 'picture',
    foldsSeed: flags.shuffleFolds,
    intercept: flags.intercept,
    renormalise: flags.renormalise,
  };
}

function averages(text: string): [Exclude<Average, 'predictions'>, Average] {
  const [train = '', test = train, ...more] = text.split(',').map((part) => part.trim());
  const isKnown = (name: string) => (AVERAGES as readonly string[]).includes(name);
  if (more.length > 0 || !isKnown(train) || !isKnown(test)) {
    throw new InvalidArgumentError(`expected one of ${AVERAGES.join(', ')}, or two by a comma`);
  }
  return [(train === 'predictions' ? 'none' : train) as 'none', test as Average];
}
