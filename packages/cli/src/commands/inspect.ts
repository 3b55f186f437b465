import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import {
  type BundleModel,
  bytesInWords,
  estimateMindEye2,
  F2iError,
  type FileDescription,
  type Folder,
  fittedByOf,
  HEADS_KIND,
  inspectFile,
  openBundleWeights,
  type StageEstimate,
} from '@fmri2image/core';
import { fileSource, nodeFolder } from '@fmri2image/node';
import type { Command } from 'commander';
import { type Console, createConsole, table } from '../console.ts';
import { interruptible } from '../context.ts';
import { usage } from '../options.ts';
import { sawTestInWords } from '../pipeline/ledger.ts';
import { readResults } from '../pipeline/readResults.ts';
import { rowInWords } from '../pipeline/rowWidth.ts';
import { readUnfinished } from '../pipeline/workFolder.ts';
import { describeHeads } from '../recipes/describeHeads.ts';
import { openStudy } from '../study.ts';
import { describeTerms } from '../terms.ts';
import { describeConverted } from './inspectConverted.ts';
import { inspectDiff } from './inspectDiff.ts';
import { inspectRecording, type RecordingChoices } from './inspectRecording.ts';
import { counted, describeStudy, extent, stack } from './inspectStudy.ts';
import { describeUnfinished } from './inspectUnfinished.ts';

interface Options extends RecordingChoices {
  diff?: boolean;
  data?: string;
  json?: boolean;
}

export function inspectCommand(program: Command): void {
  program
    .command('inspect')
    .summary('say what a file, a study, NSD, a bundle or reconstructions hold')
    .description(
      'Describes a file (npy, npz, NIfTI, GIFTI, HDF5, MATLAB, safetensors, checkpoint, PNG, tar, table), a study (study.json), single-trial responses (NSD in its own files or MindEye’s, a derivative of BIDS with betas) and what each published split makes of them, a bundle, reconstructions, or every file of a folder. Only headers are read where the format allows it. With --diff, compares two bundles; the exit code is then as of diff: 0 identical, 1 different, 2 trouble.',
    )
    .argument('<path>', 'a file or a folder; with --diff, a bundle')
    .argument('[other]', 'with --diff alone: the bundle to compare it with')
    .option('--diff', 'compare two bundles, field by field and number by number')
    .option('--data <folder>', 'of a study: folder of the paths that begin with "data:"')
    .option('--subject <name>', 'of NSD (1 to 8) or of a derivative of BIDS: whose responses')
    .option('--roi <names>', 'of NSD: ROIs whose voxels are taken, such as nsdgeneral, streams:early+ventral')
    .option('--mask <file>', 'of NSD or BIDS: an image whose voxels above 0 are taken')
    .option('--betas <name>', 'of NSD: folder of the GLM, such as betas_fithrf')
    .option('--json', 'print the result as one JSON object')
    .action((path: string, other: string | undefined, options: Options) =>
      interruptible((signal) => {
        if ((other !== undefined) !== (options.diff ?? false)) {
          throw usage(
            options.diff ? '--diff compares two bundles' : 'one path at a time; --diff compares two bundles',
          );
        }
        return options.diff
          ? inspectDiff(path, other!, createConsole(options), signal)
          : inspect(path, options, signal);
      }),
    );
}

async function inspect(path: string, options: Options, signal: AbortSignal): Promise<void> {
  const console = createConsole(options);
  // A folder that an interrupted overwrite has moved aside is put back.
  const isFolder = await stat(path).then(
    (entry) => entry.isDirectory(),
    () =>
      nodeFolder(path, { onRepair: console.warn }).then(
        () => true,
        () => false,
      ),
  );
  if (!isFolder) {
    if (basename(path).endsWith('study.json')) return inspectStudy(path, options, console, signal);
    const description = await inspectFile(await fileSource(path), signal);
    console.result(description);
    return printFile(console, description);
  }
  const unfinished = resolve(path).endsWith('.unfinished') ? await readUnfinished(path) : undefined;
  if (unfinished) return describeUnfinished(path, unfinished, console);
  // NSD is looked for by its files, not listed: a whole copy has very many.
  if (await inspectRecording(path, options, console, signal)) return;
  const choice = (['subject', 'roi', 'mask', 'betas'] as const).find((name) => options[name] !== undefined);
  if (choice) throw usage(`--${choice} is for folders of NSD and derivatives of BIDS; ${path} is none`);
  const folder = await nodeFolder(path, { onRepair: console.warn });
  const names = await folder.list();
  if (names.includes('model.json')) return inspectBundle(path, console, signal);
  if (names.includes('reconstructions.json')) return inspectResults(path, folder, console, signal);
  if (names.includes('study.json')) return inspectStudy(path, options, console, signal);
  if (names.length === 0) {
    throw new F2iError('USAGE', 'nothing here that can be described', {
      file: path,
      expected: 'a study (study.json), NSD, BIDS, a bundle (model.json), reconstructions or files',
      found: 'no file',
    });
  }
  const all: (FileDescription | { file: string; error: string })[] = [];
  for (const name of names) {
    try {
      all.push(await inspectFile(await folder.open(name), signal));
    } catch (error) {
      if (signal.aborted) throw error;
      all.push({ file: join(path, name), error: error instanceof Error ? error.message : String(error) });
    }
  }
  console.result(all);
  for (const entry of all) {
    if ('error' in entry) console.print(entry.error);
    else printFile(console, entry);
  }
}

/** Headers hold floats of 32 bits: 1.3170249462127686 is 1.31702 to a reader. */
const sixDigits = (_: string, value: unknown) =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;

function printFile(
  console: Console,
  { file, format, bytes, arrays, details, warnings }: FileDescription,
): void {
  console.print(`${file}: ${format}, ${bytesInWords(bytes)}`);
  for (const { name, dtype, shape } of arrays) {
    console.print(`  ${name ? `${name}: ` : ''}${dtype} [${shape.join(', ')}]`);
  }
  for (const [key, value] of Object.entries(details)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value, sixDigits);
    console.print(`  ${key}: ${text.length > 160 ? `${text.slice(0, 157)}...` : text}`);
  }
  for (const warning of warnings) console.print(`  note: ${warning}`);
}

async function inspectBundle(path: string, console: Console, signal: AbortSignal): Promise<void> {
  const folder = await nodeFolder(path, { onRepair: console.warn });
  const { model, warnings, weights, complete } = await openBundleWeights(folder, {
    signal,
    onProgress: ({ phase, done, total }) => console.progress(`${phase} ${path}`, done / total),
  });
  await complete(signal);
  const stages = model.kind === 'mindeye2' ? estimateMindEye2({ weights }) : undefined;
  console.result(stages ? { ...model, stages } : model);
  console.print(`${path}: bundle of a ${model.kind} decoder, verified`);
  console.print(
    table([
      ['  content hash', model.contentHash],
      [
        '  input',
        `${rowInWords(model.input)}${model.input.selection ? ` (from ${model.input.selection})` : ''}`,
      ],
      ['  output', `${model.output.kind} [${model.output.shape.join(', ')}]`],
      ['  training data inside', model.containsTrainingData ? 'yes: do not share without consent' : 'no'],
      ...describeHeads(model).map(([what, text]) => [`  ${what}`, text]),
      ...describeConverted(model).map(([what, text]) => [`  ${what}`, text]),
      ...describeTerms(model).map(([what, text]) => [`  ${what}`, text]),
      ...describeFit(model).map(([what, text]) => [`  ${what}`, text]),
      ['  written by', `${model.writer.name} ${model.writer.version}`],
    ]).replace(/ {3,}/g, '  '),
  );
  for (const warning of warnings) console.print(`  note: ${warning}`);
  if (stages) printStages(console, stages);
  console.print('  ledger of fitted steps:');
  // Of recipes, steps are of whole sessions.
  const unit = model.kind === HEADS_KIND ? 'sessions' : 'runs';
  for (const fitted of model.ledger) {
    const { step, runs, note } = fitted;
    const saw = sawTestInWords(fitted);
    const where =
      runs.length > 6
        ? `${runs.length} ${unit}`
        : runs.length > 0
          ? `${unit} ${[...runs].sort(byNumber).join(', ')}`
          : `${unit} not stated`;
    console.print(`    ${step} (${where}; saw test data: ${saw}${note ? `; ${note}` : ''})`);
  }
}

/** `run-2` before `run-10`. */
const byNumber = new Intl.Collator('en', { numeric: true }).compare;

/** With what it was fitted: a copy by another version keeps the numbers. */
function describeFit({ report }: BundleModel): [what: string, text: string][] {
  const made = fittedByOf(report);
  if (!made) return [];
  const { device, version, precision } = made;
  return [
    ['fitted', `by version ${version} on ${device}${precision === undefined ? '' : `, in ${precision}`}`],
  ];
}

/** What running each stage takes, which is estimated before loading. */
function printStages(console: Console, stages: readonly StageEstimate[]): void {
  console.print(
    '  stages of reconstruct, and the memory each takes as stored (--precision f16 or bf16: half of f32):',
  );
  for (const { stage, memory } of stages) {
    const { weights, activations } = memory;
    console.print(
      `    ${stage}: ${bytesInWords(weights + activations)} (${bytesInWords(weights)} of weights, at most ${bytesInWords(activations)} beside them)`,
    );
  }
}

async function inspectStudy(
  path: string,
  options: Options,
  console: Console,
  signal: AbortSignal,
): Promise<void> {
  describeStudy(path, await openStudy(path, options.data, signal), console);
}

async function inspectResults(
  path: string,
  folder: Folder,
  console: Console,
  signal: AbortSignal,
): Promise<void> {
  const { items, kind, provenance, values, terms } = await readResults(folder, signal);
  console.result({ kind, items: items.length, shape: values.shape, provenance, terms });
  console.print(`${path}: reconstructions of study ${provenance.study}`);
  const trials = items.reduce((count, item) => count + item.trials.length, 0);
  console.print(`  ${stack(kind, values.shape)}, ${extent(values.data)}, from ${counted(trials, 'trial')}`);
  const heldOut = new Set(items.flatMap((item) => item.heldOut ?? [])).size;
  const held = heldOut > 0 ? `, fitted anew for each of ${counted(heldOut, 'group')} held out` : '';
  console.print(`  by a ${provenance.decoder} decoder${held}: bundle ${provenance.bundle.slice(0, 12)}`);
  console.print(`  made by ${provenance.version} on ${provenance.device}: ${provenance.commandLine}`);
  for (const [what, text] of describeTerms(terms ?? {})) console.print(`  ${what}: ${text}`);
  for (const warning of provenance.warnings) console.print(`  warning: ${warning}`);
}
