import {
  CHUNK_BYTES,
  type ExportOptions,
  type Folder,
  MODEL_FILE,
  openBundleWeights,
  PRIMAL_LIMIT_BYTES,
  type PreparedCopy,
  prepareCopy,
  prepareExport,
  RANGED_KINDS,
  readBundle,
  readModel,
  saveBundle,
  WEIGHTS_FILE,
  type WriteFile,
} from '@fmri2image/core';
import { nodeFolder, writeFolderAtomic } from '@fmri2image/node';
import type { Command } from 'commander';
import { type Context, withContext } from '../context.ts';
import { type DeviceOptions, withDevice } from '../options.ts';
import { prepareOutput } from '../output.ts';
import { sizeInBytes } from '../sizes.ts';

/** A text, or false where its removal was asked for. */
type Stated = string | false;

interface Options extends DeviceOptions {
  output: string;
  shareable?: boolean;
  primal?: boolean;
  maxSize?: number;
  dataTerms?: Stated;
  consentReference?: Stated;
  pseudonym?: Stated;
  selection?: Stated;
  force?: boolean;
}

export function exportCommand(program: Command): void {
  const command = program
    .command('export')
    .summary('copy a bundle: for sharing, without training data, or with other terms')
    .description(
      'Copies a bundle, verified. Unless something is changed, the copy is the same bundle, byte for byte. With --shareable, a bundle that holds responses of training trials is refused, or converted with --primal; terms of the data are required; how voxels were selected, the record of the training trials, labels of runs that are more than a number (sweep-2 is kept) and the date are taken out; a text that may name a person, a machine or a day is refused. docs/bundle.md says what that protects, and what it does not.',
    )
    .argument('<bundle>', 'a fitted decoder')
    .requiredOption('-o, --output <folder>', 'the bundle to write')
    .option('--shareable', 'refuse or take out what others must not get')
    .option('--primal', 'replace responses of training trials by weights of voxels')
    .option(
      '--max-size <size>',
      'refuse to make weights of voxels larger than this: 3GB, 512MiB (default: 2GiB)',
      sizeInBytes,
    );
  const statements = [
    ['data-terms', 'licence or terms of the data'],
    ['consent-reference', 'reference of the consent'],
    ['pseudonym', 'a name of the person that is not theirs'],
    ['selection', 'how the voxels were selected'],
  ] as const;
  for (const [name, what] of statements) {
    command.option(`--${name} <text>`, `state ${what}`).option(`--no-${name}`, `remove ${what}`);
  }
  command.option('-f, --force', 'replace an existing bundle');
  withDevice(command).action((bundle: string, options: Options) =>
    withContext(options, (context) => exportBundle(bundle, options, context)),
  );
}

async function exportBundle(path: string, options: Options, context: Context): Promise<void> {
  const { console, signal } = context;
  const output = await prepareOutput({
    path: options.output,
    kind: 'bundle',
    force: options.force,
    inputs: [path],
  });
  console.progress('read the bundle');
  const folder = await nodeFolder(path, { onRepair: console.warn });
  const { kind, contentHash: parent } = await readModel(folder, signal);
  const prepared = await (RANGED_KINDS.includes(kind) ? convertedCopy : fittedCopy)(folder, options, context);
  let contentHash = '';
  await writeFolderAtomic(
    options.output,
    async (write) => {
      contentHash = await prepared.write(write, signal);
    },
    { ...output, signal, onRepair: console.warn },
  );
  const { changes, holds, containsTrainingData } = prepared;
  const { dataTerms, consentReference, pseudonym } = prepared.options;
  console.result({
    bundle: options.output,
    contentHash,
    parent,
    shareable: options.shareable ?? false,
    containsTrainingData,
    changes,
    holds,
    terms: { dataTerms, consentReference, pseudonym },
  });
  describe(options.output, contentHash, prepared, console);
}

/** Of weights of any size: their files stay as they are. */
async function convertedCopy(
  folder: Folder,
  options: Options,
  { console, signal }: Context,
): Promise<PreparedCopy> {
  const opened = await openBundleWeights(folder, {
    signal,
    onProgress: ({ phase, done, total }) => console.progress(`${phase} the bundle`, done / total),
  });
  for (const warning of opened.warnings) console.warn(`note: ${warning}`);
  return prepareCopy(opened, folder, exportOptions(options), { signal });
}

/** Of a decoder that was fitted here, which may be converted on the way. */
async function fittedCopy(
  folder: Folder,
  options: Options,
  { console, signal, backend }: Context,
): Promise<PreparedCopy> {
  const opened = await readBundle(folder, signal);
  for (const warning of opened.warnings) console.warn(`note: ${warning}`);
  console.progress('prepare the copy');
  const prepared = await prepareExport(opened, folder, exportOptions(options), { backend, signal });
  const { contents, changes } = prepared;
  return {
    ...prepared,
    containsTrainingData: contents.containsTrainingData,
    async write(write, writeSignal) {
      if (changes.length > 0) return saveBundle({ toBundle: () => contents }, write, prepared.options);
      await copyBundle(folder, write, writeSignal);
      return opened.model.contentHash;
    },
  };
}

/** Of an option that was given as --no-..., nothing is stated. */
const statement = (option: Stated | undefined) => (option === false ? null : option);

function exportOptions(options: Options): ExportOptions {
  return {
    shareable: options.shareable,
    primal: options.primal,
    primalLimitBytes: options.maxSize ?? PRIMAL_LIMIT_BYTES,
    dataTerms: statement(options.dataTerms),
    consentReference: statement(options.consentReference),
    pseudonym: statement(options.pseudonym),
    selection: statement(options.selection),
  };
}

/** The two files as they are, piece by piece: they were verified. */
async function copyBundle(folder: Folder, write: WriteFile, signal?: AbortSignal): Promise<void> {
  for (const name of [WEIGHTS_FILE, MODEL_FILE]) {
    const source = await folder.open(name);
    async function* pieces() {
      for (let at = 0; at < source.size; at += CHUNK_BYTES) {
        yield source.read(at, Math.min(CHUNK_BYTES, source.size - at), signal);
      }
    }
    await write(name, pieces());
  }
}

function describe(
  output: string,
  contentHash: string,
  { changes, holds, options }: PreparedCopy,
  { print }: Context['console'],
): void {
  print(`bundle ${output} (${contentHash.slice(0, 12)})`);
  if (changes.length === 0) print('  nothing to change: a copy, the same bundle');
  for (const change of changes) print(`  ${change}`);
  for (const what of holds) print(`  it holds ${what}`);
  print(`  terms of the data: ${options.dataTerms ?? 'none stated'}`);
}
