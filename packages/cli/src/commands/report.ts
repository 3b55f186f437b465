import { join } from 'node:path';
import { writeFolderAtomic } from '@fmri2image/node';
import type { Command } from 'commander';
import { derivativeNameNote } from '../bids.ts';
import { type Context, withContext } from '../context.ts';
import { readMaps } from '../maps/read.ts';
import { withDevice } from '../options.ts';
import { prepareOutput } from '../output.ts';
import { arraysInWords, evaluateResults } from '../pipeline/evaluate.ts';
import { sharingNotes } from '../pipeline/notes.ts';
import { provenanceOf } from '../pipeline/results.ts';
import { type HeadResults, headToReport } from '../recipes/evaluateHeads.ts';
import { reportData } from '../report/data.ts';
import { drawFigures } from '../report/figures/index.ts';
import { limitNotes } from '../report/limits.ts';
import { headline } from '../report/sections/summary.ts';
import { reportFiles, writeReport } from '../report/write.ts';
import { openStudy } from '../study.ts';
import { reportLabels } from './reportLabels.ts';
import {
  checkResultsUse,
  obtainResults,
  type ResultsFlags,
  refuseUnscored,
  withResults,
} from './resultsOptions.ts';

export interface ReportFlags extends ResultsFlags {
  output: string;
  stimuli: boolean;
  maps?: string;
  force?: boolean;
}

export function reportCommand(program: Command): void {
  const command = program
    .command('report')
    .summary('one page about reconstructions: pictures, scores, controls, methods')
    .description(
      'Writes a folder with one HTML page, readable offline, about a folder of reconstructions (--reconstructions), or fits, reconstructs, scores and reports in one go: with each run, session or group held out in turn (--leave-one-out), or, without either, by the study’s own splits train and test. Pictures stand beside their stimuli at fixed percentiles of the score; scores beside chance, controls and the noise ceiling; with the ledger of every fitted step and a methods paragraph. The folder is a BIDS derivative. docs/report.md explains it. Of predictions of a recipe (--reconstructions with --targets NAME=FILE) it is about one head, that of --array or the first.',
    )
    .requiredOption('-o, --output <folder>', 'the folder to write')
    .option('--maps <folder>', 'show these maps of voxels, written by fmri2image maps')
    .option('--no-stimuli', 'leave out the stimuli, and training pictures, everywhere')
    .option('-f, --force', 'replace an existing report');
  const ofFit = withResults(command);
  withDevice(command).action((study: string, options: ReportFlags) => {
    checkResultsUse(command, options, ofFit, { splits: true });
    return withContext(options, (context) => run(study, options, context));
  });
}

async function run(path: string, options: ReportFlags, context: Context): Promise<void> {
  const { console } = context;
  const isRecipe = typeof options.targets !== 'string';
  if (!isRecipe) await refuseUnscored(path, options, context);
  const output = await prepareOutput({
    path: options.output,
    kind: 'report',
    force: options.force,
    inputs: [path, options.data, options.reconstructions, options.maps],
  });
  console.progress('read the study');
  const head = isRecipe ? await headToReport(path, options, context) : undefined;
  try {
    await report(path, head, output, options, context);
  } finally {
    head?.close();
  }
}

/** @param head predictions of a recipe, whose files are open */
async function report(
  path: string,
  head: HeadResults | undefined,
  output: Awaited<ReturnType<typeof prepareOutput>>,
  options: ReportFlags,
  context: Context,
): Promise<void> {
  const { console, signal, backend } = context;
  const study = head?.study ?? (await openStudy(path, options.data, signal));
  const maps = options.maps === undefined ? undefined : await readMaps(options.maps, study, signal);
  const results = head?.results ?? (await obtainResults(study, options, context));
  if (results.kind === 'labels') return reportLabels(study, results, { ...options, maps }, context, output);
  console.progress('evaluate');
  const evaluation = await evaluateResults(study, results, { ...options, keepNull: true }, context);
  const notes = [
    ...study.warnings,
    ...results.provenance.warnings,
    ...(head ? oneOfHeads(head) : []),
    ...sharingNotes(study, results, evaluation),
    ...limitNotes(results, evaluation),
  ];
  const reported =
    options.reconstructions === undefined
      ? results.provenance
      : provenanceOf(study.name, results.provenance.decoder, results.provenance.bundle, backend.info, []);
  console.progress('draw');
  const data = await reportData(
    { study, results, evaluation, notes, showStimuli: options.stimuli, seed: options.seed, reported, maps },
    context,
  );
  const figures = await drawFigures(data, signal);
  await writeFolderAtomic(options.output, (write) => writeReport({ ...data, figures }, write), {
    ...output,
    signal,
    onRepair: console.warn,
  });
  const page = join(options.output, reportFiles(study).page);
  for (const note of notes) console.warn(`note: ${note}`);
  const named = derivativeNameNote(options.output);
  if (named !== undefined) console.warn(`note: ${named}`);
  const { twoWay, frameCorrelation, retrieval, trials, arrays } = evaluation;
  console.result({
    output: options.output,
    page,
    decoder: results.provenance.decoder,
    twoWay: twoWay.score,
    frameCorrelation: frameCorrelation.score,
    ...(retrieval && {
      imageToBrain: retrieval.imageToBrain.score,
      brainToImage: retrieval.brainToImage.score,
    }),
    permutationP: twoWay.p,
    arrays,
    trials,
    notes,
    runId: reported.runId,
    device: reported.device,
  });
  console.print(headline({ ...data, figures }));
  if (results.kind === 'features') console.print(arraysInWords(arrays));
  console.print(`report: ${page}`);
  console.print(`scores of each trial: ${join(options.output, reportFiles(study).scores)}`);
}

/** A report is about one head: whoever named several must not take it for all. */
export function oneOfHeads({
  head,
  results: { outputs = [] },
}: Pick<HeadResults, 'head' | 'results'>): string[] {
  const others = outputs.map(({ name }) => name).filter((name) => name !== head);
  if (others.length === 0) return [];
  const are = others.length === 1 ? 'another is' : 'others are';
  return [
    `this report is about the head ${head} alone; ${are} ${others.join(', ')}: --array NAME with --targets NAME=FILE reports that one, evaluate scores all that are named`,
  ];
}
