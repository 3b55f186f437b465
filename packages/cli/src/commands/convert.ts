import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  bytesInWords,
  CONVERTED_KINDS,
  convertedModel,
  countParameters,
  F2iError,
  matchModel,
  openShardedWeights,
  openWeights,
  publishedModel,
  type WeightSource,
  type WeightType,
  writeWeights,
} from '@fmri2image/core';
import { fileSource, nodeFolder, writeFolderAtomic } from '@fmri2image/node';
import { type Command, Option } from 'commander';
import { createConsole } from '../console.ts';
import { interruptible } from '../context.ts';
import { checkDiskRoom } from '../diskRoom.ts';
import { prepareOutput } from '../output.ts';
import { describeModel } from './models.ts';

interface Options {
  output: string;
  model: string;
  dtype: WeightType;
  dataTerms?: string;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
}

export function convertCommand(program: Command): void {
  program
    .command('convert')
    .summary('make a bundle of the published weights of a model')
    .description(
      'Reads a checkpoint of PyTorch (.pth, .pt) or safetensors (a file, an index.json, or a folder with one), checks every key and shape against the model, and writes a bundle: weights of matrices as f32, f16 or bf16, in files below 1 GiB with checksums. The checkpoint is never run, and the state of an optimiser never read. `fmri2image models` says where checkpoints are.',
    )
    .argument('<file>', 'the checkpoint')
    .requiredOption('-o, --output <folder>', 'the bundle to write')
    .addOption(
      new Option('--model <name>', 'which model it is').choices([...CONVERTED_KINDS]).makeOptionMandatory(),
    )
    .addOption(
      new Option('--dtype <type>', 'type of the matrices; biases and gains stay f32')
        .choices(['f32', 'f16', 'bf16'])
        .default('f32'),
    )
    .option(
      '--data-terms <text>',
      'terms of the data that the model was trained on (default: as known of the model)',
    )
    .option('-f, --force', 'replace an existing bundle')
    .option('--json', 'print the result as one JSON object')
    .option('--quiet', 'show no progress')
    .action((file: string, options: Options) => interruptible((signal) => convert(file, options, signal)));
}

async function convert(file: string, options: Options, signal: AbortSignal): Promise<void> {
  const console = createConsole(options);
  const { model, dtype } = options;
  const output = await prepareOutput({
    path: options.output,
    kind: 'bundle',
    force: options.force,
    inputs: [file],
  });
  console.progress('read the description of the checkpoint');
  const source = await open(file, model, signal);
  const matched = matchModel(source, model);
  const stored = [...matched.weights.values()].map((weight) => weight.stored.name);
  const parameters = countParameters(source, stored);
  const planned = parameters * (dtype === 'f32' ? 4 : 2);
  console.print(`writes ${await checkDiskRoom([{ what: 'weights', bytes: planned, at: options.output }])}`);
  let contentHash = '';
  let bytes = 0;
  await writeFolderAtomic(
    options.output,
    async (write) => {
      contentHash = await writeWeights(source, matched, convertedModel(source, matched, dtype), write, {
        dtype,
        dataTerms: options.dataTerms ?? publishedModel(model).dataTerms,
        signal,
        onProgress(done, total) {
          bytes = total;
          console.progress(`convert ${file}`, done / total);
        },
      });
    },
    { ...output, signal, onRepair: console.warn },
  );
  const extents = Object.fromEntries(matched.extents);
  const { ignored, prefix } = matched;
  console.result({
    bundle: options.output,
    contentHash,
    model,
    dtype,
    parameters,
    tensors: stored.length,
    bytes,
    prefix,
    extents,
    ignored: ignored.length,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
  });
  console.print(`bundle ${options.output} (${contentHash.slice(0, 12)})`);
  console.print(
    `  ${model}: ${stored.length} tensors, ${parameters} parameters, ${bytesInWords(bytes)} as ${dtype}`,
  );
  console.print(
    `  sizes: ${Object.entries(extents)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}`,
  );
  if (ignored.length > 0) console.print(`  not taken: ${ignored.length} tensors of the training`);
}

/** Opens the weights; where there is no such file, the error says where the model's is to be had. */
async function open(path: string, model: string, signal: AbortSignal): Promise<WeightSource> {
  try {
    const index = await indexOf(path);
    if (index === undefined) return await openWeights(await fileSource(path), signal);
    return await openShardedWeights(await nodeFolder(dirname(index)), basename(index), signal);
  } catch (error) {
    const isMissing = (error as { cause?: { code?: string } }).cause?.code === 'ENOENT';
    if (!(error instanceof F2iError) || !isMissing) throw error;
    const about = describeModel(publishedModel(model)).join('\n');
    throw new F2iError('IO', `no such file; what is known of this model:\n${about}`, {
      file: path,
      cause: error,
    });
  }
}

/** The index of safetensors in several files: the path itself, or the one in a folder. */
async function indexOf(path: string): Promise<string | undefined> {
  if (path.endsWith('.index.json')) return path;
  const entry = await stat(path).catch(() => undefined);
  if (!entry?.isDirectory()) return undefined;
  const names = (await (await nodeFolder(path)).list()).filter((name) => /^[^/]*\.index\.json$/.test(name));
  if (names.length === 1) return join(path, names[0]!);
  throw new F2iError('FORMAT', 'not one index of safetensors in the folder; name the checkpoint itself', {
    file: path,
    expected: 'one *.index.json',
    found: names.length === 0 ? 'none' : names.join(', '),
  });
}
