import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  MINDEYE_FILES,
  PUBLISHED_POOL,
  publishedSubject,
  type Retrieval,
  readModel,
  readText,
} from '@fmri2image/core';
import { fileSource, nodeFolder, writeFileAtomic } from '@fmri2image/node';
import { type Command, InvalidArgumentError } from 'commander';
import { type Console, table } from '../console.ts';
import { type Context, withContext } from '../context.ts';
import { nsdSubjectAt } from '../nsd/find.ts';
import { openNsdSubject } from '../nsd/layout.ts';
import { openTargets } from '../nsd/targets.ts';
import { backendOptions, type DeviceOptions, usage, withDevice } from '../options.ts';
import { prepareOutput } from '../output.ts';
import { chanceInWords } from '../pipeline/baselines.ts';
import { decimal, three } from '../pipeline/numbers.ts';
import { produce } from '../pipeline/produce.ts';
import { readIndex } from '../pipeline/readResults.ts';
import { openResponses } from '../pipeline/responses.ts';
import { RETRIEVAL_HEAD, type ResultItem } from '../pipeline/results.ts';
import {
  type Comparison,
  type Count,
  checkFolder,
  compare,
  countsOf,
  scoreRetrieval,
} from '../pipeline/verify.ts';
import { type ConvertedFlags, withRun } from './convertedOptions.ts';

interface Options extends DeviceOptions, Pick<ConvertedFlags, 'precision' | 'subject' | 'restart'> {
  nsd: string;
  bundle?: string;
  output?: string;
  reconstructions?: string;
  targets?: string;
  force?: boolean;
}

const VERIFICATION = 'verification.json';

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
    .option('-f, --force', 'replace an existing folder, or the scores of an earlier verify in it');
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
    const test = {
      of: `nsd-${nsd.name}`,
      images: new Set(nsd.test.map(({ image }) => image)).size,
    };
    const { folder, items, speed, notes } = await featuresOf(options, test, context);
    const path = join(folder, VERIFICATION);
    const replaced = await checkEarlier(path, options.force ?? false, signal);
    const measured = targets && (await scoreRetrieval(folder, items, targets, context));
    const comparisons = compare(measured);
    const result = {
      subject: nsd.name,
      counts,
      otherSubjects: others,
      images: items.length,
      retrieval: measured && { ...measured, array: RETRIEVAL_HEAD, targets: options.targets },
      comparisons,
      reconstructionsPerSecond: speed,
      notes,
      note: NOT_VERIFIED,
    };
    await writeFileAtomic(path, `${JSON.stringify(result, undefined, 2)}\n`, { force: true, signal });
    console.result({ output: folder, ...result });
    for (const note of notes) console.warn(`note: ${note}`);
    printCounts(console, nsd.name, counts, others);
    printComparisons(console, comparisons, measured);
    if (speed !== undefined)
      console.print(`${Number(speed.toPrecision(3))} pictures a second (three repeats each)`);
    console.print(`written: ${path}${replaced ? ', in place of an earlier one' : ''}`);
    console.print(NOT_VERIFIED);
  } finally {
    targets?.close();
  }
}

/**
 * Scores that somebody has computed are replaced only where that is asked for.
 *
 * @returns whether an earlier verification is replaced
 */
async function checkEarlier(path: string, force: boolean, signal: AbortSignal): Promise<boolean> {
  if (!existsSync(path)) return false;
  const text = await readText(await fileSource(path), signal);
  if (!force && /"measured":/.test(text)) {
    throw usage(`${path} holds the scores of an earlier verify; --force replaces it`);
  }
  return true;
}

/** Features of the test pictures: made now, or by an earlier run. */
async function featuresOf(
  options: Options,
  test: { readonly of: string; readonly images: number },
  context: Context,
): Promise<{
  folder: string;
  items: readonly ResultItem[];
  speed: number | undefined;
  notes: readonly string[];
}> {
  const { console, signal } = context;
  const { reconstructions, bundle, output, nsd } = options;
  if (reconstructions !== undefined) {
    const index = await readIndex(await nodeFolder(reconstructions), signal);
    const notes = checkFolder(reconstructions, index, test);
    return { folder: reconstructions, items: index.items, speed: undefined, notes };
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
  return { folder: output!, items, speed: made > 0 ? made / seconds : undefined, notes: [] };
}

/** Subjects whose betas lie beside those that are verified, and what was published of each. */
async function otherSubjects(folder: string, subject: number): Promise<object[]> {
  const names = new Set(await readdir(folder));
  return [1, 2, 3, 4, 5, 6, 7, 8].flatMap((other) => {
    if (other === subject || !names.has(MINDEYE_FILES.betas(other))) return [];
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

/** Measured, interval, mean over draws, chance. */
function measuredCells({ measured, interval, asPublished, chance }: Comparison): string[] {
  if (measured === undefined || !interval || !asPublished || chance === undefined) return ['n/a', '', '', ''];
  const [low, high] = interval;
  // Where all pictures score alike, a bootstrap of them has nothing to vary.
  const width = low === high ? 'none: all alike' : `${small(low)} to ${small(high)}`;
  return [small(measured), width, small(asPublished.mean), chanceInWords(chance)];
}

/** Three digits after the point; of little more than nothing the first two that count. */
const small = (value: number) => (value > 0 && value < 0.01 ? decimal(value) : three(value));

function printComparisons(
  console: Console,
  comparisons: readonly Comparison[],
  measured: Retrieval | undefined,
): void {
  // As they were published: no digit more, none less.
  const share = (value: number | undefined) => (value === undefined ? '' : String(value));
  console.print();
  console.print(
    table([
      [
        'score',
        'measured',
        '95 % interval',
        'over draws',
        'chance',
        'published: subj01, 40 h',
        'mean of 4, 40 h',
        'mean of 4, 1 h',
      ],
      ...comparisons.map((comparison) => [
        comparison.name,
        ...measuredCells(comparison),
        share(comparison.subject1),
        share(comparison.average),
        share(comparison.averageHour),
      ]),
    ]),
  );
  if (measured) {
    const { pool, chance, stimuli, draws, note } = measured;
    console.print(
      `retrieval of ${RETRIEVAL_HEAD}.npy: the nearest of a pool of ${pool} of ${stimuli} pictures, chance ${chanceInWords(chance)}; measured is expected over all pools, its interval is about other pictures; over draws is the mean of ${draws} random pools, as the published figures are${pool === PUBLISHED_POOL.pool ? '' : ` (of ${PUBLISHED_POOL.pool}: these pools are smaller, so these figures do not compare)`}`,
    );
    if (note) console.print(`note: ${note}`);
  }
  for (const reason of new Set(comparisons.flatMap(({ missing }) => missing ?? []))) {
    const names = comparisons.filter(({ missing }) => missing === reason).map(({ name }) => name);
    console.print(`n/a: ${names.join(', ')}: ${reason}`);
  }
  console.print(
    'image retrieval: for each picture, is its brain response the nearest of 300? MindEye prints it as "fwd"; brain retrieval is its "bwd"',
  );
}
