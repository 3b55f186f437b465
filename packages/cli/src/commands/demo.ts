import { readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import {
  type Amplitudes,
  DEMO_SIMULATION,
  type FileContent,
  loadStudy,
  memoryFolder,
  noiseCeiling,
  openBundle,
  oracleAmplitudes,
  oracleReconstruction,
  prepareStudy,
  type Simulation,
  type Study,
  saveBundle,
  simulate,
  takeRows,
  type WriteFile,
} from '@fmri2image/core';
import { writeFolderAtomic } from '@fmri2image/node';
import type { Command } from 'commander';
import { type Context, withContext } from '../context.ts';
import { type DeviceOptions, seedNumber, usage, withDevice } from '../options.ts';
import { evaluateResults, printEvaluation } from '../pipeline/evaluate.ts';
import { type FitSettings, fitRidgeDecoder, meanTarget, plannedPreparation } from '../pipeline/fit.ts';
import { foldRecord } from '../pipeline/folds.ts';
import { averageRepeats, type Reconstructed, reconstructTrials } from '../pipeline/reconstruct.ts';
import { provenanceOf, type Results, writeResults } from '../pipeline/results.ts';
import { scoresTable } from '../pipeline/scores.ts';
import { selectTrials } from '../pipeline/select.ts';
import { contactSheet, evenly } from '../pipeline/sheet.ts';
import { seenBy, trainingRecord } from '../pipeline/training.ts';
import { termsOf } from '../terms.ts';
import { writeSimulation } from './simulate.ts';

interface Options extends DeviceOptions {
  output: string;
  seed: number;
}

/** Marks the demo's folder, so that a second run may replace it, and nothing else. */
const MARK = 'made-by-fmri2image-demo.txt';

const SETTINGS: FitSettings = {
  perTarget: false,
  score: 'r2',
  groupBy: 'run',
  folds: 5,
  storage: 'auto',
  standardize: true,
  sawTest: 'no',
};

export function demoCommand(program: Command): void {
  const command = program
    .command('demo')
    .summary('simulate a person, fit, reconstruct, evaluate: needs no data')
    .description(
      'Simulates a person who looks at drawn pictures, fits ridge to the responses, reconstructs pictures that the decoder has never seen, and scores them beside an oracle that knows the person’s true receptive fields.',
    )
    .option('-o, --output <folder>', 'the folder to write', 'fmri2image-demo')
    .option('--seed <n>', 'another seed is another person', seedNumber, DEMO_SIMULATION.seed);
  withDevice(command).action((options: Options) => withContext(options, (context) => run(options, context)));
}

async function run(options: Options, context: Context): Promise<void> {
  const { console, signal, backend } = context;
  const { output } = options;
  await refuseForeign(output);
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1e3;

  console.print('1. A simulated person looks at pictures.');
  console.progress('simulate');
  const simulation = await simulate({ ...DEMO_SIMULATION, seed: options.seed }, backend, { signal });
  const amplitudes = await oracleAmplitudes(simulation, backend);
  signal.throwIfAborted();
  const ceiling = statedCeiling(simulation, amplitudes);
  describeSimulation(simulation, ceiling, context);

  let result: unknown;
  await writeFolderAtomic(
    output,
    async (write) => {
      await write(MARK, 'This folder was made by "fmri2image demo", which may replace it.\n');
      result = await decode(simulation, amplitudes, ceiling, output, write, context);
    },
    { force: true, signal, onRepair: console.warn },
  );
  console.result({ ...(result as object), seconds: seconds() });
  console.print('');
  console.print(
    `Look at ${join(output, 'pictures.png')}: rows are what was shown, what ridge reconstructed, and the oracle.`,
  );
  console.print(
    `${seconds().toFixed(1)} s in all. The study is in ${join(output, 'study')}; try it yourself:`,
  );
  const here = relative('.', output) || '.';
  console.print(`  npx fmri2image fit ${here}/study -o my-decoder --alpha-for all --folds 5`);
  console.print(`  npx fmri2image reconstruct my-decoder ${here}/study -o my-pictures --average`);
  console.print(`  npx fmri2image evaluate ${here}/study --reconstructions my-pictures`);
  console.print(`  npx fmri2image report ${here}/study --reconstructions my-pictures -o my-report`);
}

/** A folder of somebody else's is never replaced. */
async function refuseForeign(output: string): Promise<void> {
  const exists = await stat(output).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  const marked = await readFile(join(output, MARK)).then(
    () => true,
    () => false,
  );
  if (!marked) throw usage(`${output} exists and is not a folder of the demo; name another with --output`);
}

interface Ceiling {
  readonly singleTrial: number;
  readonly averaged: number;
}

/** Median over voxels, of single trials and of the mean over repeats. */
function statedCeiling(simulation: Simulation, amplitudes: Amplitudes): Ceiling {
  const ceiling = noiseCeiling(amplitudes, simulation.options.testRepeats);
  const median = (values: Float64Array) => values.toSorted()[values.length >> 1]!;
  return { singleTrial: median(ceiling.singleTrial), averaged: median(ceiling.averaged) };
}

function describeSimulation(
  { options, series, runs }: Simulation,
  ceiling: Ceiling,
  { console }: Context,
): void {
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  console.print(
    `   ${options.voxels} voxels, ${runs.length} runs, ${series.length / options.voxels} volumes (TR ${options.tr} s); ` +
      `${options.trainPictures} training pictures shown once, ${options.testPictures} test pictures ${options.testRepeats} times.`,
  );
  console.print(
    `   Noise ceiling of the median voxel: ${percent(ceiling.singleTrial)} of the variance of one trial, ${percent(ceiling.averaged)} of ${options.testRepeats} averaged.`,
  );
}

/** Everything after the simulation goes through the bytes of files, as a lab's data would. */
async function decode(
  simulation: Simulation,
  amplitudes: Amplitudes,
  ceiling: Ceiling,
  output: string,
  write: WriteFile,
  context: Context,
) {
  const { console, signal, backend } = context;
  const studyFiles = await collect(write, 'study', (put) => writeSimulation(simulation, put));
  const study = await loadStudy(memoryFolder(studyFiles, join(output, 'study')), 'study.json', { signal });
  const steps = plannedPreparation(study, SETTINGS);
  const prepared = prepareStudy(study, steps);
  const training = selectTrials(study, { split: 'train' });

  console.print(`2. Ridge learns from ${training.length} trials (${backend.info.description}).`);
  const fitStarted = performance.now();
  const fitted = await fitRidgeDecoder(study, prepared, steps, training, SETTINGS, context);
  const fitSeconds = (performance.now() - fitStarted) / 1e3;
  let contentHash = '';
  const bundleFiles = await collect(write, 'bundle', async (put) => {
    contentHash = await saveBundle(fitted, put, { dataTerms: study.dataTerms });
  });
  fitted.dispose();
  console.print(
    `   ${fitSeconds.toFixed(2)} s; saved as a bundle (${contentHash.slice(0, 12)}) and opened again.`,
  );

  const decoder = await openBundle(memoryFolder(bundleFiles, join(output, 'bundle')), { backend, signal });
  const test = selectTrials(study, { split: 'test' });
  const single = await reconstructTrials(study, prepared, decoder, test, context, {
    seen: seenBy(trainingRecord(study, training), study),
  });
  const ours = averageRepeats(single);
  const fold = foldRecord(decoder, { training: trainingRecord(study, training) });
  decoder.dispose();
  console.print(`3. ${test.length} trials that it has never seen become ${ours.items.length} pictures.`);

  const results = (reconstructed: Reconstructed, name: string): Results => ({
    ...reconstructed,
    meanPicture: meanTarget(study, training),
    kind: 'picture',
    terms: termsOf({}, study),
    provenance: provenanceOf(study.name, name, name === 'ridge' ? contentHash : 'none', backend.info, []),
  });
  const ridge = { ...results(ours, 'ridge'), folds: [fold] };
  console.progress('the oracle');
  const oracle = results(await oracleResults(simulation, amplitudes, ours, context), 'oracle');
  signal.throwIfAborted();
  const settings = { permutations: 999, seed: simulation.options.seed };
  const evaluation = await evaluateResults(study, ridge, settings, context);
  const oracleEvaluation = await evaluateResults(study, oracle, settings, context);
  await writeResults(ridge, (path, content) => write(`reconstructions/${path}`, content), study);
  await write('reconstructions/scores.tsv', scoresTable(study, ridge, evaluation).tsv);
  await write('pictures.png', demoSheet(study, ridge, oracle));

  console.print('4. Scores.');
  printEvaluation(console, evaluation, 'ridge');
  console.print('   The oracle, which knows the receptive fields, response functions and noise:');
  printEvaluation(console, oracleEvaluation, 'oracle');
  const brief = (e: typeof evaluation) => ({
    twoWay: e.twoWay.score,
    frameCorrelation: e.frameCorrelation.score,
    permutationP: e.twoWay.p,
  });
  return {
    ridge: brief(evaluation),
    oracle: brief(oracleEvaluation),
    chance: { twoWay: 0.5, frameCorrelation: 0 },
    meanPicture: {
      twoWay: evaluation.twoWay.meanPicture,
      frameCorrelation: evaluation.frameCorrelation.meanPicture,
    },
    noiseCeiling: ceiling,
    device: backend.info.description,
    fitSeconds,
    output,
  };
}

/** Writes files below a folder and keeps their bytes, to be read again from memory. */
async function collect(
  write: WriteFile,
  folder: string,
  produce: (put: (path: string, content: FileContent) => Promise<void>) => Promise<void>,
): Promise<[string, Uint8Array][]> {
  const files: [string, Uint8Array][] = [];
  await produce(async (path, content) => {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : (content as Uint8Array);
    files.push([path, bytes]);
    await write(`${folder}/${path}`, bytes);
  });
  return files;
}

/** The oracle's pictures in the order of ours. */
async function oracleResults(
  simulation: Simulation,
  amplitudes: Amplitudes,
  { items, values }: Reconstructed,
  { backend, signal }: Context,
): Promise<Reconstructed> {
  const { size, trainPictures, testPictures } = simulation.options;
  const pictures = await oracleReconstruction(simulation, amplitudes, backend, { signal });
  const order = items.map((item) => item.stimulus! - trainPictures);
  const taken = takeRows({ data: pictures, shape: [testPictures, size, size] }, order);
  return { items, values: { data: taken.data, shape: values.shape } };
}

/** Twelve test pictures, evenly taken: shown, reconstructed by ridge, by the oracle. */
function demoSheet(study: Study, ridge: Results, oracle: Results): Uint8Array {
  const shown = takeRows(
    study.stimuli!.values,
    ridge.items.map((item) => item.stimulus!),
  );
  const all = ridge.items.map((_, i) => i);
  return contactSheet([shown, ridge.values, oracle.values], evenly(all)).toPng();
}
