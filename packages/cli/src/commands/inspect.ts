import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type FileDescription, inspectFile, readBundle } from '@fmri2image/core';
import { fileSource, nodeFolder } from '@fmri2image/node';
import type { Command } from 'commander';
import { type Console, createConsole, table } from '../console.ts';
import { interruptible } from '../context.ts';
import { openStudy } from '../study.ts';

interface Options {
  data?: string;
  json?: boolean;
}

export function inspectCommand(program: Command): void {
  program
    .command('inspect')
    .summary('say what a file, a study or a bundle holds')
    .description(
      'Describes a file (npy, npz, NIfTI, safetensors, PNG, table), a study (study.json), a bundle, or every file of a folder. Only headers are read where the format allows it.',
    )
    .argument('<path>', 'a file or a folder')
    .option('--data <folder>', 'of a study: folder of the paths that begin with "data:"')
    .option('--json', 'print the result as one JSON object')
    .action((path: string, options: Options) => interruptible((signal) => inspect(path, options, signal)));
}

async function inspect(path: string, options: Options, signal: AbortSignal): Promise<void> {
  const console = createConsole(options);
  const isFolder = await stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  if (!isFolder) {
    if (basename(path).endsWith('study.json')) return inspectStudy(path, options, console, signal);
    const description = await inspectFile(await fileSource(path), signal);
    console.result(description);
    return printFile(console, description);
  }
  const folder = await nodeFolder(path, { onRepair: console.warn });
  const names = await folder.list();
  if (names.includes('model.json')) return inspectBundle(path, console, signal);
  if (names.includes('study.json')) return inspectStudy(path, options, console, signal);
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

function printFile(
  console: Console,
  { file, format, bytes, arrays, details, warnings }: FileDescription,
): void {
  console.print(`${file}: ${format}, ${bytes} bytes`);
  for (const { name, dtype, shape } of arrays) {
    console.print(`  ${name ? `${name}: ` : ''}${dtype} [${shape.join(', ')}]`);
  }
  for (const [key, value] of Object.entries(details)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    console.print(`  ${key}: ${text.length > 160 ? `${text.slice(0, 157)}...` : text}`);
  }
  for (const warning of warnings) console.print(`  note: ${warning}`);
}

async function inspectBundle(path: string, console: Console, signal: AbortSignal): Promise<void> {
  const { model } = await readBundle(await nodeFolder(path, { onRepair: console.warn }), signal);
  console.result(model);
  console.print(`${path}: bundle of a ${model.kind} decoder, verified`);
  console.print(
    table([
      ['  content hash', model.contentHash],
      [
        '  input',
        `${model.input.voxels} voxels${model.input.selection ? ` (${model.input.selection})` : ''}`,
      ],
      ['  output', `${model.output.kind} [${model.output.shape.join(', ')}]`],
      ['  training data inside', model.containsTrainingData ? 'yes: do not share without consent' : 'no'],
      ['  written by', `${model.writer.name} ${model.writer.version}`],
    ]).replace(/ {3,}/g, '  '),
  );
  console.print('  ledger of fitted steps:');
  for (const { step, runs, sawTest, note } of model.ledger) {
    const where =
      runs.length > 6 ? `${runs.length} runs` : runs.length > 0 ? `runs ${runs.join(', ')}` : 'all runs';
    console.print(`    ${step} (${where}; saw test data: ${sawTest}${note ? `; ${note}` : ''})`);
  }
}

async function inspectStudy(
  path: string,
  options: Options,
  console: Console,
  signal: AbortSignal,
): Promise<void> {
  const study = await openStudy(path, options.data, signal);
  const count = (label: (trial: (typeof study.trials)[number]) => string | undefined) => {
    const counts = new Map<string, number>();
    for (const trial of study.trials) {
      const key = label(trial);
      if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return Object.fromEntries(counts);
  };
  const summary = {
    name: study.name,
    rows: study.rows,
    tr: study.tr,
    voxels: study.voxels.shape[1],
    selection: study.selection.description,
    volumesOrTrials: study.voxels.shape[0],
    runs: study.runs.length,
    trials: study.trials.length,
    scored: study.scored.length,
    continuous: study.continuous,
    splits: count((trial) => trial.split),
    labels: count((trial) => trial.label),
    stimuli: study.stimuli && { kind: study.stimuli.kind, shape: study.stimuli.values.shape },
    visualField: study.visualField,
    warnings: study.warnings,
    repairs: study.repairs,
  };
  console.result(summary);
  console.print(`${path}: study ${study.name}`);
  for (const [key, value] of Object.entries(summary)) {
    const empty = value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);
    if (key !== 'name' && !empty)
      console.print(`  ${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  }
}
