import { join } from 'node:path';
import {
  didYouMean,
  F2iError,
  type MatrixSource,
  picturesOf,
  type Recording,
  rowsInWords,
  type Study,
  targetRows,
} from '@fmri2image/core';
import { nodeFolder, writeFileAtomic } from '@fmri2image/node';
import type { ResultsFlags } from '../commands/resultsOptions.ts';
import type { Context } from '../context.ts';
import { usage } from '../options.ts';
import {
  type EvaluateSettings,
  evaluateResults,
  printEvaluation,
  type ScoredResults,
} from '../pipeline/evaluate.ts';
import { openResults, readIndex } from '../pipeline/readResults.ts';
import { areSingle, recordingRows } from '../pipeline/recordingRows.ts';
import type { Results } from '../pipeline/results.ts';
import { scoresTable } from '../pipeline/scores.ts';
import { readChoices } from './choices.ts';
import { openTargetFile, type TargetFile } from './plan.ts';
import { openAt } from './recording.ts';
import { targetFiles } from './targetFiles.ts';

/** One head of a folder of predictions, beside what it should have predicted. Both stay in their files. */
export interface HeadResults {
  readonly head: string;
  /** Test rows as a study of single trials, whose stimuli are the true features: their shape, without data. */
  readonly study: Study;
  readonly results: Results;
  /** What the rows of the file were taken for, in words. */
  readonly order: string;
  /** Closes the files. */
  close(): void;
}

interface Options extends EvaluateSettings {
  readonly reconstructions: string;
  readonly data?: string | undefined;
  readonly subject?: string | undefined;
}

/**
 * Opens the predictions of one head after the other, and the features that are true of their pictures. Who takes a head
 * closes it.
 *
 * @param path of the recording, which is held against what the predictions say of themselves
 * @throws USAGE and FORMAT naming file, expected and found
 */
export async function* headResults(
  path: string,
  files: readonly TargetFile[],
  options: Options,
  context: Context,
): AsyncGenerator<HeadResults, void, void> {
  const { signal, console } = context;
  const folder = await nodeFolder(options.reconstructions, { onRepair: console.warn });
  const index = await readIndex(folder, signal);
  const known = index.outputs?.map(({ name }) => name) ?? [];
  const unknown = files.find(({ name }) => !known.includes(name));
  if (unknown) {
    throw new F2iError('USAGE', `the reconstructions have no such head${didYouMean(unknown.name, known)}`, {
      file: options.reconstructions,
      field: '--targets',
      expected: known.join(', ') || 'a folder of predictions of a recipe',
      found: unknown.name,
    });
  }
  const file = join(options.reconstructions, 'reconstructions.json');
  const of = await readChoices(index.folds?.[0]?.report, file);
  const subject = options.subject ?? of.subject ?? subjectOf(index.provenance.study);
  const recording = await openAt(path, { ...of, subject, data: options.data }, context);
  try {
    checkItems(recording, index.items, index.provenance.study);
  } finally {
    recording.close();
  }
  for (const target of files) {
    const { name } = target;
    console.progress(`read ${name}`);
    const { results, source: predictions } = await openResults(folder, signal, name);
    let truth: MatrixSource | undefined;
    const close = () => {
      predictions.close?.();
      truth?.close?.();
    };
    let head: Omit<HeadResults, 'head' | 'close'>;
    try {
      truth = await openTargetFile(target, signal);
      head = asStudy(results, name, { truth, predictions }, recording);
    } catch (error) {
      close();
      throw error;
    }
    yield { head: name, ...head, close };
  }
}

/**
 * The head that a report is about: the one that `--array` names, else the first of the files.
 *
 * @throws USAGE without a folder of predictions, or without a file for that head
 */
export async function headToReport(
  path: string,
  options: Pick<ResultsFlags, 'targets' | 'reconstructions' | 'array'> & Omit<Options, 'reconstructions'>,
  context: Context,
): Promise<HeadResults> {
  const { reconstructions, array } = options;
  const files = targetFiles(options.targets);
  if (reconstructions === undefined)
    throw usage('--targets NAME=FILE needs --reconstructions, made by a recipe');
  const file = files.find(({ name }) => name === (array ?? files[0]!.name));
  if (!file) throw usage(`--array ${array}: no --targets ${array}=FILE says what is true of it`);
  for await (const one of headResults(path, [file], { ...options, reconstructions }, context)) return one;
  throw usage(`${reconstructions} has no head ${file.name}`);
}

/** `nsd-subj01` names the subject. */
const subjectOf = (name: string): string | undefined => /^nsd-subj0(\d)$/.exec(name)?.[1];

/** The predictions are of this recording: the same pictures in the same trials. */
function checkItems({ name, trials }: Recording, items: Results['items'], of: string): void {
  const wrong = items.findIndex(({ trials: own, stimulus }) =>
    own.some((trial) => trials[trial]?.stimulus !== stimulus),
  );
  if (wrong < 0 && name === of) return;
  throw new F2iError('FORMAT', 'the predictions belong to another recording', {
    file: 'reconstructions.json',
    field: wrong < 0 ? 'provenance.study' : `items.${wrong}.stimulus`,
    expected: wrong < 0 ? name : `${trials[items[wrong]!.trials[0]!]?.stimulus} (${name})`,
    found: wrong < 0 ? of : `${items[wrong]!.stimulus} (${of})`,
  });
}

/** Each test row is a trial of its own, and the true features of its picture are what was shown. */
function asStudy(
  results: Results,
  head: string,
  { truth: source, predictions }: { readonly truth: MatrixSource; readonly predictions: MatrixSource },
  recording: Recording,
): Omit<HeadResults, 'head' | 'close'> {
  const { items, values, folds } = results;
  const voxels = folds?.[0]?.voxels ?? 1;
  const pictures = items.map(({ stimulus }) => stimulus!);
  const test = picturesOf(pictures.map((stimulus) => ({ stimulus, trials: new Int32Array(0) })));
  const train = trainedPictures(results, recording);
  const rows = targetRows(source, test, 'test', { train, test });
  if (source.columns !== predictions.columns) {
    throw new F2iError('FORMAT', 'targets and predictions differ in shape', {
      file: source.name,
      field: head,
      expected: `[pictures, ${values.shape.slice(1).join(', ')}]`,
      found: `[${[`pictures`, ...source.shape].join(', ')}]`,
    });
  }
  const placeOf = new Map(Array.from(test, (picture, place) => [picture, place]));
  const names = Array.from(test, (picture) => recording.stimulusName?.(picture) ?? `picture ${picture}`);
  // Averages of several runs may be exchanged with all others.
  const rowsOf = recordingRows(recording, results);
  const single = areSingle(items);
  const runOf = (run: string) => (single ? run : 'all');
  const placed = items.map((item, i) => ({
    ...item,
    trials: [i],
    stimulus: placeOf.get(item.stimulus!)!,
    run: runOf(item.run),
  }));
  const study: Study = {
    name: recording.name,
    // The responses are behind the predictions: nothing is computed of these.
    voxels: { data: new Float32Array(items.length * voxels), shape: [items.length, voxels] },
    rows: 'trials',
    runs: [],
    trials: placed.map(({ stimulus, run }, row) => ({ row, stimulus, run })),
    continuous: false,
    stimuli: {
      kind: 'features',
      names,
      values: { data: new Float32Array(0), shape: [test.length, ...values.shape.slice(1)] },
      name: head,
    },
    scored: Int32Array.from(items.keys()),
    selection: recording.selection,
    warnings: [],
    repairs: [],
  };
  // What was trained on are trials of the recording, which rows of the study must not be taken for.
  const of = `all trials of ${recording.name}`;
  const own = folds?.map((fold) => ({ ...fold, training: { ...(fold.training as object), study: of } }));
  const order = rowsInWords(source, 'test', { train, test }, recording);
  const filed = {
    truth: { source, rows: placed.map(({ stimulus }) => rows[stimulus]!) },
    reconstructions: { source: predictions, rows: [...placed.keys()] },
  };
  return { study, results: { ...results, filed, folds: own, items: placed, rows: rowsOf }, order };
}

/** Pictures of the training rows, as the folder records them. */
function trainedPictures({ folds }: Results, { trials }: Recording): Int32Array {
  const { stimuli = [] } = (folds?.[0]?.training ?? {}) as { stimuli?: [number, number][] };
  const within = (picture: number) => stimuli.some(([first, last]) => picture >= first && picture <= last);
  return Int32Array.from(new Set(trials.map(({ stimulus }) => stimulus).filter(within))).sort();
}

/** Scores each head against the features of its file; scores-HEAD.tsv goes into the folder. */
export async function evaluateHeads(
  path: string,
  files: readonly TargetFile[],
  options: Options,
  context: Context,
): Promise<void> {
  const { console, signal } = context;
  const all: Record<string, ScoredResults> = {};
  // What was computed is told even where it cannot be written: that is said last.
  let unwritten: unknown;
  const started = performance.now();
  for await (const one of headResults(path, files, options, context)) {
    const { head, study, results, order } = one;
    console.progress(`evaluate ${head}`);
    const evaluation = await evaluateResults(study, results, options, context).finally(() => one.close());
    all[head] = evaluation;
    const scores = scoresTable(study, results, evaluation).tsv;
    const file = join(options.reconstructions, `scores-${head}.tsv`);
    console.print(`${head} [${results.values.shape.slice(1).join(', ')}]`);
    console.print(`rows of its file: ${order}`);
    printEvaluation(console, evaluation, head, results);
    try {
      await writeFileAtomic(file, scores, { force: true, signal });
      console.print(`scores of each row: ${file}`);
    } catch (error) {
      if (signal.aborted) throw error;
      unwritten ??= error;
    }
    console.print();
  }
  console.result({
    heads: Object.fromEntries(
      Object.entries(all).map(([head, { twoWay, frameCorrelation, retrieval, trials }]) => [
        head,
        {
          twoWay: twoWay.score,
          correlation: frameCorrelation.score,
          imageToBrain: retrieval?.imageToBrain.score,
          brainToImage: retrieval?.brainToImage.score,
          permutationP: twoWay.p,
          rows: trials,
        },
      ]),
    ),
    evaluation: all,
    seconds: (performance.now() - started) / 1e3,
  });
  console.print('what these figures mean: docs/scores.md');
  if (unwritten !== undefined) throw unwritten;
  const evaluation = join(options.reconstructions, 'evaluation.json');
  await writeFileAtomic(evaluation, `${JSON.stringify({ heads: all }, undefined, 2)}\n`, {
    force: true,
    signal,
  });
}
