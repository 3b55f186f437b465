import { HEADS_KIND, PUBLISHED_POOL, type Study } from '@fmri2image/core';
import { nodeFolder } from '@fmri2image/node';
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { holdsNsdBetas } from '../nsd/find.ts';
import { type DeviceOptions, seedNumber, usage, wholeNumber, withStudy } from '../options.ts';
import { readBands } from '../pipeline/bands.ts';
import { heldOutResults } from '../pipeline/leaveOneOut.ts';
import { readIndex, readResults } from '../pipeline/readResults.ts';
import type { Results } from '../pipeline/results.ts';
import { GROUPINGS, type Grouping } from '../pipeline/select.ts';
import { hasTrainAndTest, trainTestResults } from '../pipeline/trainTest.ts';
import { type FitFlags, fitSettings, withFit } from './fitOptions.ts';

/** Options of commands that score: reconstructions from a folder, or made by leaving one out. */
export interface ResultsFlags extends DeviceOptions, FitFlags {
  data?: string;
  reconstructions?: string;
  array?: string;
  leaveOneOut?: Grouping;
  permutations: number;
  seed: number;
  pool: number;
  top: number;
}

/** @returns the options that belong to fitting alone */
export function withResults(command: Command): readonly Option[] {
  command
    .option('--reconstructions <folder>', 'written by fmri2image reconstruct or evaluate')
    .option(
      '--array <name>',
      'of reconstructions with several outputs: score this one (tokens, retrieval, latent, prior); otherwise the main one, and retrieval by the retrieval head',
    )
    .addOption(new Option('--leave-one-out <label>', 'hold out one after the other').choices([...GROUPINGS]))
    .option('--permutations <n>', 'rearrangements of the permutation test', wholeNumber, 999)
    .option('--pool <n>', 'of features: candidates of retrieval', wholeNumber, PUBLISHED_POOL.pool)
    .option('--top <k>', 'of features: how many of the most similar count in retrieval', wholeNumber, 1)
    .option('--seed <n>', 'of permutations, pools and intervals', seedNumber, 0);
  const general = new Set(
    withStudy(
      command,
      'a study.json, or the folder that holds one; of predictions of a recipe the responses that it was fitted on',
    ).options,
  );
  return withFit(command).options.filter((option) => !general.has(option));
}

/** One of the ways to work (with `splits` a study's own splits are a third); and what only the other one understands is not passed over in silence. */
export function checkResultsUse(
  command: Command,
  options: ResultsFlags,
  ofFit: readonly Option[],
  {
    more = [],
    hint = '',
    splits = false,
  }: { more?: readonly string[]; hint?: string; splits?: boolean } = {},
): void {
  const { reconstructions, leaveOneOut } = options;
  const neither = reconstructions === undefined && leaveOneOut === undefined;
  if ((neither && !splits) || (reconstructions !== undefined && leaveOneOut !== undefined)) {
    throw usage(
      `${command.name()} needs either --reconstructions FOLDER or --leave-one-out run|session|group`,
    );
  }
  if (options.reconstructions === undefined) {
    if (options.array === undefined) return;
    throw usage('--array names an output of --reconstructions; a decoder that is fitted here has only one');
  }
  const foreign = [...ofFit, ...command.options.filter(({ long }) => more.includes(long ?? ''))];
  // Files of features are what a recipe's predictions are scored against.
  const isScored = (name: string) => name === 'targets' && typeof options.targets !== 'string';
  const given = foreign
    .filter((option) => command.getOptionValueSource(option.attributeName()) === 'cli')
    .filter((option) => !isScored(option.attributeName()));
  if (given.length > 0) {
    const names = given
      .map(({ long }) => long)
      .sort()
      .join(', ');
    const belong = given.length === 1 ? 'belongs' : 'belong';
    throw usage(
      `${names} ${belong} to ${splits ? 'fitting' : '--leave-one-out'}; with --reconstructions nothing is fitted${hint}`,
    );
  }
}

/** What is not scored against the stimuli of a study: predictions of a recipe, and betas of NSD, which come without. */
export async function refuseUnscored(
  path: string,
  { reconstructions }: ResultsFlags,
  { console, signal }: Context,
): Promise<void> {
  if (reconstructions !== undefined) {
    const folder = await nodeFolder(reconstructions, { onRepair: console.warn });
    const { provenance, outputs = [] } = await readIndex(folder, signal);
    if (provenance.decoder === HEADS_KIND) {
      const heads = outputs.map(({ name }) => `--targets ${name}=FILE`).join(' ');
      throw usage(
        `${reconstructions} holds predictions of a recipe: they are scored against features of the pictures, ${heads} (each, or some)`,
      );
    }
  }
  if (!(await holdsNsdBetas(path))) return;
  throw usage(
    `${path} holds betas of NSD, no study with stimuli: fmri2image verify mindeye2 --nsd ${path} --reconstructions ${reconstructions ?? 'FOLDER'} --targets FILE scores reconstructions of those (or make a study of them: docs/study.md)`,
  );
}

/** Reads the reconstructions, or makes them. */
export async function obtainResults(study: Study, options: ResultsFlags, context: Context): Promise<Results> {
  const { console, signal } = context;
  if (options.reconstructions !== undefined) {
    const folder = await nodeFolder(options.reconstructions, { onRepair: console.warn });
    return readResults(folder, signal, options.array);
  }
  const settings = fitSettings(options, 'no', await readBands(options, study, signal));
  if (options.leaveOneOut !== undefined) {
    return heldOutResults(study, options.leaveOneOut, settings, context);
  }
  if (!hasTrainAndTest(study)) {
    throw usage(
      `${study.name} states no splits "train" and "test": name --reconstructions FOLDER or --leave-one-out run|session|group`,
    );
  }
  return trainTestResults(study, settings, context);
}
