import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Study } from '@fmri2image/core';
import { writeFileAtomic, writeFolderAtomic } from '@fmri2image/node';
import { type Command, Option } from 'commander';
import { type Context, withContext } from '../context.ts';
import { usage, wholeNumber, withDevice } from '../options.ts';
import { prepareOutput } from '../output.ts';
import { evaluateResults, printEvaluation, type ScoredResults } from '../pipeline/evaluate.ts';
import { sharingNotes } from '../pipeline/notes.ts';
import { printRefit, type RefitPermutations, refitPermutations } from '../pipeline/refit.ts';
import { type Results, writeResults } from '../pipeline/results.ts';
import { scoresTable } from '../pipeline/scores.ts';
import { GROUPINGS, type Grouping } from '../pipeline/select.ts';
import { withTargets } from '../pipeline/targets.ts';
import { evaluateHeads } from '../recipes/evaluateHeads.ts';
import { openStudy } from '../study.ts';
import { scoreLabels } from './evaluateLabels.ts';
import { fitSettings } from './fitOptions.ts';
import {
  checkResultsUse,
  obtainResults,
  type ResultsFlags,
  refuseUnscored,
  withResults,
} from './resultsOptions.ts';

export interface EvaluateFlags extends ResultsFlags {
  output?: string;
  refitPermutations?: number;
  refitBlocks?: Grouping;
  force?: boolean;
}

export function evaluateCommand(program: Command): void {
  const command = program
    .command('evaluate')
    .summary('score reconstructions beside chance and controls')
    .description(
      'Scores a folder of reconstructions (--reconstructions), or fits, reconstructs and scores with each run, session or group held out in turn (--leave-one-out). Two-way identification, frame correlation, and for features retrieval in both directions, beside chance, a constant prediction (the mean training target), shuffled trials and a permutation p-value; docs/scores.md explains them. Of decoded labels (--targets labels): accuracy, confusion matrix and a permutation p-value of whole blocks; docs/labels.md. Of predictions of a recipe (--reconstructions with --targets NAME=FILE) each head that is named, against the features in its file.',
    )
    .option('-o, --output <folder>', 'with --leave-one-out: write reconstructions and scores here')
    .option(
      '--refit-permutations <n>',
      'with --leave-one-out, ridge: test against n rearrangements of the labels, decoders fitted anew for each',
      wholeNumber,
    )
    .addOption(
      new Option(
        '--refit-blocks <label>',
        'of --refit-permutations: trials of one run, session or group change places as a whole (default: trials within their run, or blocks of labels)',
      ).choices([...GROUPINGS]),
    )
    .option('-f, --force', 'replace an existing folder');
  const ofFit = withResults(command);
  withDevice(command).action((study: string, options: EvaluateFlags) => {
    checkResultsUse(command, options, ofFit, {
      more: ['--output', '--refit-permutations', '--refit-blocks', '--force'],
      hint: ', and scores.tsv goes into that folder',
    });
    if (options.refitPermutations !== undefined && options.decoder !== 'ridge') {
      throw usage('--refit-permutations is for --decoder ridge: others are not linear in their targets');
    }
    if (options.refitBlocks !== undefined && options.refitPermutations === undefined) {
      throw usage('--refit-blocks is of --refit-permutations');
    }
    return withContext(options, (context) => run(study, options, context));
  });
}

async function run(path: string, options: EvaluateFlags, context: Context): Promise<void> {
  const { console, signal } = context;
  const { targets, reconstructions } = options;
  if (typeof targets !== 'string' && reconstructions !== undefined) {
    return evaluateHeads(path, targets, { ...options, reconstructions }, context);
  }
  await refuseUnscored(path, options, context);
  const output =
    options.output === undefined
      ? { force: false }
      : await prepareOutput({
          path: options.output,
          kind: 'folder of reconstructions',
          force: options.force,
          inputs: [path, options.data],
        });
  const started = performance.now();
  console.progress('read the study');
  const study = await openStudy(path, options.data, signal);
  const read = performance.now();
  const results = await obtainResults(study, options, context);
  const refit = await refitIfAsked(study, options, context);
  if (results.kind === 'labels') {
    return scoreLabels(study, results, options, context, { ...output, started, read, refit });
  }
  console.progress('evaluate');
  const evaluation = await evaluateResults(study, results, options, context);
  const notes = [
    ...study.warnings,
    ...results.provenance.warnings,
    ...sharingNotes(study, results, evaluation),
  ];
  const seconds = { read: (read - started) / 1e3, compute: (performance.now() - read) / 1e3 };
  const scores = scoresTable(study, results, evaluation).tsv;
  if (options.reconstructions === undefined && options.output !== undefined) {
    await writeFolderAtomic(
      options.output,
      async (write) => {
        await writeResults(results, write, study);
        await write('scores.tsv', scores);
        await write('evaluation.json', `${JSON.stringify({ ...evaluation, refit, notes }, undefined, 2)}\n`);
      },
      { ...output, signal, onRepair: console.warn },
    );
  }
  for (const note of notes) console.warn(`note: ${note}`);
  console.result({ ...summary(evaluation, results), evaluation, refit, notes, seconds });
  printEvaluation(console, evaluation, results.provenance.decoder, results);
  if (refit) printRefit(console, refit);
  console.print('what these figures mean: docs/scores.md');
  // Last: what was computed is told even where this cannot be written.
  if (options.reconstructions !== undefined) {
    await writeFileAtomic(join(options.reconstructions, 'scores.tsv'), scores, { force: true, signal });
  }
  const where = options.reconstructions ?? options.output;
  if (where) {
    console.print(`scores of each trial: ${join(where, 'scores.tsv')}`);
    const sheet = join(where, 'pictures.png');
    if (existsSync(sheet)) console.print(`pictures beside what was shown: ${sheet}`);
  }
}

async function refitIfAsked(
  study: Study,
  options: EvaluateFlags,
  context: Context,
): Promise<RefitPermutations | undefined> {
  const { refitPermutations: permutations, refitBlocks: blocks, leaveOneOut, seed } = options;
  if (permutations === undefined) return undefined;
  const settings = fitSettings(options, 'no');
  return refitPermutations(
    withTargets(study, settings.targets),
    leaveOneOut!,
    settings,
    { permutations, seed, blocks },
    context,
  );
}

function summary(
  { twoWay, frameCorrelation, retrieval, trials, arrays }: ScoredResults,
  { provenance }: Results,
) {
  return {
    decoder: provenance.decoder,
    twoWay: twoWay.score,
    frameCorrelation: frameCorrelation.score,
    ...(retrieval && {
      imageToBrain: retrieval.imageToBrain.score,
      brainToImage: retrieval.brainToImage.score,
      trialsPerSecond: trials / retrieval.seconds,
    }),
    permutationP: twoWay.p,
    arrays,
    trials,
    device: provenance.device,
  };
}
