import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readModel } from '@fmri2image/core';
import { nodeFolder, writeFileAtomic } from '@fmri2image/node';
import { type Command, InvalidArgumentError } from 'commander';
import { type Console, table } from '../console.ts';
import { type Context, withContext } from '../context.ts';
import { nsdSubjectAt } from '../nsd/find.ts';
import { NSD_FILES, openNsdSubject } from '../nsd/layout.ts';
import { publishedSubject } from '../nsd/published.ts';
import { openTargets } from '../nsd/targets.ts';
import { backendOptions, type DeviceOptions, usage, withDevice } from '../options.ts';
import { prepareOutput } from '../output.ts';
import { three } from '../pipeline/evaluate.ts';
import { produce } from '../pipeline/produce.ts';
import { openResponses } from '../pipeline/responses.ts';
import { type ResultItem, readIndex } from '../pipeline/results.ts';
import { type Comparison, type Count, compare, countsOf, scoreRetrieval } from '../pipeline/verify.ts';
import { type ConvertedFlags, withRun } from './convertedOptions.ts';

interface Options extends DeviceOptions, Pick<ConvertedFlags, 'precision' | 'subject' | 'restart'> {
  nsd: string;
  bundle?: string;
  output?: string;
  reconstructions?: string;
  targets?: string;
  force?: boolean;
}

/** Said with every result. */
const NOT_VERIFIED =
  'this project has not verified any result on NSD: it has no access to the data; these figures are yours';

export function verifyCommand(program: Command): void {
  const command = program
    .command('verify')
    .summary('measured beside published figures, for whoever has the data of NSD')
    .description(
      'Reads betas and test trials as MindEye2 published them of the Natural Scenes Dataset, runs the converted checkpoint as its evaluation does (outputs averaged over three repeats), and prints what can be computed beside the published figures: counts of the data, and with embeddings of the test pictures retrieval in both directions. What is missing is said. fmri2image simulate --layout mindeye writes such files of a simulated person, to try it.',
    )
    .argument('<model>', 'mindeye2', modelName)
    .requiredOption('--nsd <path>', 'the folder of betas_all_subj0N_fp32_renorm.hdf5 and wds, or that file')
    .option('--bundle <folder>', 'the converted checkpoint of this subject; needs --output')
    .option('-o, --output <folder>', 'with --bundle: the folder of features to write')
    .option('--reconstructions <folder>', 'instead of --bundle: features that an earlier verify wrote')
    .option(
      '--targets <file>',
      'tokens of the test pictures (npy, HDF5, safetensors): [1000, 256, 1664] in ascending order of the picture, or [73000, 256, 1664]',
    )
    .option('-f, --force', 'replace an existing folder');
  withDevice(withRun(command)).action((_model: string, options: Options) => {
    if ((options.bundle === undefined) === (options.reconstructions === undefined)) {
      throw usage('give --bundle (and --output), or --reconstructions of an earlier verify');
    }
    if ((options.bundle === undefined) !== (options.output === undefined)) {
      throw usage('--bundle and --output go together: features are kept, so that scoring can be repeated');
    }
    return withContext(options, (context) => verify(options, context));
  });
}

function modelName(name: string): string {
  if (name === 'mindeye2') return name;
  throw new InvalidArgumentError('mindeye2 is the model whose figures are known here');
}

async function verify(options: Options, context: Context): Promise<void> {
  const { console, signal } = context;
  const place = await nsdSubjectAt(options.nsd);
  console.progress('read the trials');
  const nsd = await openNsdSubject(place.folder, place.subject, signal);
  const counts = countsOf(nsd);
  nsd.close();
  const others = await otherSubjects(place.folder, place.subject);
  const targets = options.targets === undefined ? undefined : await openTargets(options.targets, signal);
  try {
    const { folder, items, speed } = await featuresOf(options, context);
    const measured = targets && (await scoreRetrieval(folder, items, targets, context));
    const comparisons = compare(measured);
    const result = {
      subject: nsd.name,
      counts,
      otherSubjects: others,
      images: items.length,
      retrieval: measured && { ...measured, targets: options.targets },
      comparisons,
      reconstructionsPerSecond: speed,
      note: NOT_VERIFIED,
    };
    const path = join(folder, 'verification.json');
    await writeFileAtomic(path, `${JSON.stringify(result, undefined, 2)}\n`, { force: true, signal });
    console.result({ output: folder, ...result });
    printCounts(console, nsd.name, counts, others);
    printComparisons(console, comparisons, measured?.note);
    if (speed !== undefined) console.print(`${speed.toFixed(2)} pictures a second (three repeats each)`);
    console.print(`written: ${path}`);
    console.print(NOT_VERIFIED);
  } finally {
    targets?.close();
  }
}

/** Features of the test pictures: made now, or by an earlier run. */
async function featuresOf(
  options: Options,
  context: Context,
): Promise<{ folder: string; items: readonly ResultItem[]; speed: number | undefined }> {
  const { console, signal } = context;
  const { reconstructions, bundle, output, nsd } = options;
  if (reconstructions !== undefined) {
    const { items, run } = await readIndex(await nodeFolder(reconstructions), signal);
    if (run?.repeats === 'published') return { folder: reconstructions, items, speed: undefined };
    throw usage(`${reconstructions} was not made with --repeats published, as the published figures are`);
  }
  const model = await readModel(await nodeFolder(bundle!, { onRepair: console.warn }), signal);
  if (model.kind !== 'mindeye2') throw usage(`${bundle} holds the weights of ${model.kind}, not of mindeye2`);
  const prepared = await prepareOutput({
    path: output!,
    kind: 'folder of reconstructions',
    force: options.force,
    inputs: [bundle, nsd, options.targets],
  });
  const responses = await openResponses(nsd, { choose: () => [], signal, console });
  const { items, made, seconds, provenance } = await produce(
    bundle!,
    responses,
    {
      ...prepared,
      output: output!,
      repeats: 'published',
      precision: options.precision,
      subject: options.subject,
      restart: options.restart,
      memoryLimit: backendOptions(options).memoryLimit,
    },
    context,
  );
  for (const warning of provenance.warnings) console.warn(`note: ${warning}`);
  return { folder: output!, items, speed: made > 0 ? made / seconds : undefined };
}

/** Subjects whose betas lie beside those that are verified, and what was published of each. */
async function otherSubjects(folder: string, subject: number): Promise<object[]> {
  const names = new Set(await readdir(folder));
  return [1, 2, 3, 4, 5, 6, 7, 8].flatMap((other) => {
    if (other === subject || !names.has(NSD_FILES.betas(other))) return [];
    return [{ subject: other, ...publishedSubject(other)! }];
  });
}

function printCounts(
  console: Console,
  name: string,
  counts: readonly Count[],
  others: readonly object[],
): void {
  console.print(
    table([
      [name, 'found', 'published', ''],
      ...counts.map(({ what, found, published }) => [
        `  ${what}`,
        `${found}`,
        published === undefined ? 'not stated' : `${published}`,
        published === undefined || published === found ? '' : 'differs',
      ]),
    ]),
  );
  for (const { subject, voxels, sessions, testTrials } of others as {
    subject: number;
    voxels: number;
    sessions: number;
    testTrials: number;
  }[]) {
    console.print(
      `  subj0${subject} lies there too: published are ${voxels} voxels, ${sessions} sessions, ${testTrials} test trials`,
    );
  }
}

function printComparisons(console: Console, comparisons: readonly Comparison[], note?: string): void {
  // As they were published: no digit more, none less.
  const share = (value: number | undefined) => (value === undefined ? '' : String(value));
  console.print();
  console.print(
    table([
      ['score', 'measured', '95 % interval', 'published: subj01, 40 h', 'mean of 4, 40 h', 'mean of 4, 1 h'],
      ...comparisons.map(({ name, measured, interval, subject1, average, averageHour }) => [
        name,
        measured === undefined ? 'n/a' : three(measured),
        interval ? `${three(interval[0])} to ${three(interval[1])}` : '',
        share(subject1),
        share(average),
        share(averageHour),
      ]),
    ]),
  );
  if (note) console.print(`note: ${note}`);
  for (const reason of new Set(comparisons.flatMap(({ missing }) => missing ?? []))) {
    const names = comparisons.filter(({ missing }) => missing === reason).map(({ name }) => name);
    console.print(`n/a: ${names.join(', ')}: ${reason}`);
  }
  console.print(
    'image retrieval: for each picture, is its brain response the nearest of 300? MindEye prints it as "fwd"; brain retrieval is its "bwd"',
  );
}
