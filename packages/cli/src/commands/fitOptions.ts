import { ALPHA_SCORES, type AlphaScore, type RidgeForm } from '@fmri2image/core';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { numberList, usage, wholeNumber } from '../options.ts';
import { DECODER_KINDS, type DecoderKind, type FitSettings } from '../pipeline/fit.ts';
import { GROUPINGS, type Grouping } from '../pipeline/select.ts';
import { ownTargets, type TargetsOption, targetsOption } from '../recipes/targetFiles.ts';
import { type RetinotopicFlags, retinotopicSettings, withRetinotopic } from './retinotopicOptions.ts';

/** Options of commands that fit a decoder. */
export interface FitFlags extends RetinotopicFlags {
  decoder: DecoderKind;
  alphas?: number[];
  targets: TargetsOption;
  alphaFor?: 'each' | 'all';
  score: AlphaScore;
  folds?: number;
  groupBy: Grouping;
  delays?: number[][];
  detrend?: number;
  zscore?: 'run' | 'none';
  storage: RidgeForm | 'auto';
  standardize: boolean;
  bands?: string;
  bandDraws?: number;
}

/** Options that one decoder alone understands, by their names in `FitFlags`. */
const RIDGE_ONLY = [
  'targets',
  'alphas',
  'alphaFor',
  'score',
  'delays',
  'storage',
  'standardize',
  'bands',
  'bandDraws',
];

export function withFit(command: Command): Command {
  const shared = command
    .addOption(new Option('--decoder <kind>', 'what to fit').choices([...DECODER_KINDS]).default('ridge'))
    .option(
      '--folds <k>',
      'choose settings by k folds of successive trials, 2 or more (default: leave one group out; of recipes 5)',
      foldCount,
    )
    .addOption(
      new Option('--group-by <label>', 'what stays together when settings are chosen')
        .choices([...GROUPINGS])
        .default('run'),
    )
    .option(
      '--detrend <seconds>',
      'remove drifts slower than this from each run; 0: none (default: 128 for separate trials, none for continuous stimuli, a line alone for labels of volumes)',
      cutoff,
    )
    .addOption(
      new Option(
        '--zscore <by>',
        'z-score each voxel of a time series in each run by itself, over all of its volumes (default: run for labels, none otherwise)',
      ).choices(['run', 'none']),
    );
  const before = new Set(shared.options);
  const all = withRetinotopic(withRidge(shared));
  const ofOne = all.options.filter((option) => !before.has(option));
  // What only the other decoder understands is not passed over in silence.
  return all.hook('preAction', () => {
    const { decoder } = all.opts<FitFlags>();
    const foreign = ofOne.filter(
      (option) =>
        RIDGE_ONLY.includes(option.attributeName()) === (decoder === 'retinotopic') &&
        all.getOptionValueSource(option.attributeName()) === 'cli',
    );
    if (foreign.length === 0) return;
    const names = foreign.map(({ long }) => long).join(', ');
    const other = decoder === 'ridge' ? 'retinotopic' : 'ridge';
    throw usage(`${names} ${foreign.length === 1 ? 'belongs' : 'belong'} to --decoder ${other}`);
  });
}

function withRidge(command: Command): Command {
  return command
    .optionsGroup('Ridge regression:')
    .addOption(
      new Option(
        '--targets <what>',
        'decode what was shown (stimuli), or the labels of the trials; of recipes NAME=FILE, or NAME=FILE:ARRAY of a file with several: features of the pictures (npy, HDF5, safetensors), once for each head',
      )
        .argParser(targetsOption)
        .default('stimuli'),
    )
    .option(
      '--alphas <list>',
      'penalties to choose from, or one (default: 13 around the mean eigenvalue)',
      positiveList,
    )
    .addOption(
      new Option(
        '--alpha-for <targets>',
        'one penalty for each target or one for all (default: each; all for labels, whose scores are compared)',
      ).choices(['each', 'all']),
    )
    .addOption(
      new Option('--score <name>', 'what chooses penalties').choices([...ALPHA_SCORES]).default('r2'),
    )
    .option(
      '--delays <seconds>',
      'when responses to a stimulus are read: "3.5,5,6.5"; sets to choose from by cross-validation are separated by ";" (default: 3.5,5,6.5,8 for separate trials, 0,2.5,5 for labels of volumes, a choice of 7 for continuous stimuli)',
      delaySets,
    )
    .addOption(
      new Option('--storage <form>', 'keep weights of voxels (primal) or of training trials (dual)')
        .choices(['auto', 'primal', 'dual'])
        .default('auto'),
    )
    .option('--no-standardize', 'do not divide voxels by their standard deviation')
    .option(
      '--bands <file>',
      'banded ridge: penalties of their own for bands of voxels, by an atlas (NIfTI of whole numbers) or a text with a label for each voxel; with --recipe also ROIs by their names, "streams:early,streams:ventral"',
    )
    .option(
      '--band-draws <n>',
      'with --bands: how many weights of the bands are tried (default: 100)',
      drawCount,
    );
}

export function fitSettings(
  flags: FitFlags,
  sawTest: FitSettings['sawTest'],
  bands?: FitSettings['bands'],
): FitSettings {
  const { decoder, alphas, score, folds, groupBy, delays, detrend, zscore, storage, standardize } = flags;
  const targets = ownTargets(flags.targets);
  const { alphaFor = targets === 'labels' ? 'all' : 'each' } = flags;
  return {
    decoder,
    targets,
    retinotopic: retinotopicSettings(flags),
    alphas,
    perTarget: alphaFor === 'each',
    score,
    folds,
    groupBy,
    delaySets: delays,
    detrend,
    zscore,
    storage,
    standardize,
    bands,
    sawTest,
  };
}

function drawCount(text: string): number {
  const value = wholeNumber(text);
  if (value < 1) throw new InvalidArgumentError('expected 1 or more');
  return value;
}

function foldCount(text: string): number {
  const value = wholeNumber(text);
  if (value < 2) throw new InvalidArgumentError('expected 2 or more: one fold leaves nothing to train on');
  return value;
}

function positiveList(text: string): number[] {
  const values = numberList(text);
  if (values.some((value) => value <= 0)) throw new InvalidArgumentError('expected positive numbers');
  if (new Set(values).size < values.length) throw new InvalidArgumentError('expected each number once');
  return values;
}

function cutoff(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('expected seconds, or 0');
  return value;
}

function delaySets(text: string): number[][] {
  return text.split(';').map(numberList);
}
