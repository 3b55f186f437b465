import { stat } from 'node:fs/promises';
import { freemem } from 'node:os';
import { basename, join } from 'node:path';
import {
  type Backend,
  HEADS_KIND,
  type PatternForm,
  type Recording,
  readModel,
  recordingOf,
  type Study,
} from '@fmri2image/core';
import { nodeFolder, writeFolderAtomic } from '@fmri2image/node';
import { Command, Option } from 'commander';
import { derivativeNameNote } from '../bids.ts';
import { type Context, withContext } from '../context.ts';
import { openReadout } from '../maps/bundle.ts';
import { type DecodedRegions, decodeRegions } from '../maps/decodeRegions.ts';
import { drawMaps } from '../maps/figures.ts';
import { DRAWN, type Drawn, intervalMaps } from '../maps/intervals.ts';
import type { MadeMap, MadeMaps } from '../maps/made.ts';
import { ceilingMaps, readoutMaps } from '../maps/make.ts';
import { type RegionFlags, readRegions } from '../maps/regions.ts';
import { writeMaps } from '../maps/write.ts';
import {
  backendOptions,
  type DeviceOptions,
  textList,
  usage,
  wholeNumber,
  withDevice,
  withStudy,
} from '../options.ts';
import { prepareOutput } from '../output.ts';
import { provenanceOf } from '../pipeline/results.ts';
import { GROUPINGS, type Grouping } from '../pipeline/select.ts';
import { withTargets } from '../pipeline/targets.ts';
import { readChoices } from '../recipes/choices.ts';
import { openAt } from '../recipes/recording.ts';
import { openStudy } from '../study.ts';
import { type FitFlags, fitSettings, withFit } from './fitOptions.ts';
import { withRetinotopic } from './retinotopicOptions.ts';

interface Options extends DeviceOptions, FitFlags, RegionFlags {
  data?: string;
  output: string;
  bundle?: string;
  head?: string;
  target?: string[];
  pattern?: PatternForm;
  intervals?: number | true;
  intervalsOver?: Drawn;
  noiseCeiling?: boolean;
  zscoreSessions?: boolean;
  decodeRegions?: boolean;
  leaveOneOut?: Grouping;
  subject?: string;
  roi?: string;
  betas?: string;
  mask?: string;
  force?: boolean;
}

export function mapsCommand(program: Command): void {
  const command = withStudy(
    program
      .command('maps')
      .summary('maps of voxels: weights, activation patterns, noise ceilings, regions')
      .description(
        'Writes a folder of maps as NIfTI images in the space of the responses, drawn on one page: of a linear decoder (--bundle) its weights and its activation pattern (Haufe et al. 2014); noise ceilings from repeated presentations (--noise-ceiling); and what decoders reach that have one region alone, or all but one (--decode-regions). Weights must not be read as activation; patterns may. The study may be a folder of NSD’s own files for --bundle and --noise-ceiling. docs/maps.md explains it.',
      ),
  )
    .requiredOption('-o, --output <folder>', 'the folder to write')
    .option('--bundle <folder>', 'a ridge decoder, written by fmri2image fit')
    .option('--head <name>', 'of a bundle with several outputs: which one (default: the first)')
    .option(
      '--target <list>',
      'targets to map, by number from 0 or by label (default: all); the map of a single one keeps its sign',
      textList,
    )
    .addOption(
      new Option(
        '--pattern <form>',
        'of several targets: with the other predictions held fixed, or each by itself (default: joint where targets are few)',
      ).choices(['joint', 'univariate']),
    )
    .option(
      '--intervals [draws]',
      '95 % intervals and standard errors of the weights of each target, by bootstrap (default: 1000 draws)',
      wholeNumber,
    )
    .addOption(
      new Option(
        '--intervals-over <what>',
        'what is drawn together: what shares noise is no independent evidence (default: trial)',
      ).choices([...DRAWN]),
    )
    .option('--noise-ceiling', 'noise ceilings of the voxels, from repeated presentations')
    .option('--zscore-sessions', 'z-score responses within each session before noise ceilings, as NSD does')
    .option('--atlas <image>', 'regions: an image of labels on the grid of the responses')
    .option('--atlas-labels <table>', 'names of its labels: columns index and name')
    .option('--region <name=image>', 'a region: voxels above 0 of an image; may be repeated', collected)
    .option('--decode-regions', 'decode from each region alone, and from all voxels but its own')
    .addOption(
      new Option(
        '--leave-one-out <label>',
        'of --decode-regions: hold out one after the other (default: the study’s split)',
      ).choices([...GROUPINGS]),
    )
    .option('--subject <name>', 'of a folder of NSD or of BIDS derivatives: whose responses')
    .option(
      '--roi <names>',
      'of NSD’s own files: the voxels that are read (default: those of the bundle, or nsdgeneral)',
    )
    .option('--mask <file>', 'of NSD or BIDS: an image whose voxels above 0 are read')
    .option('--betas <name>', 'of NSD: folder of the GLM, such as betas_fithrf')
    .option('-f, --force', 'replace existing maps');
  withDevice(withLinear(command)).action((study: string, options: Options) =>
    withContext(options, (context) => run(study, options, context)),
  );
}

/** Options of ridge decoders alone: of others there are no maps of regions. They are known, and refused as everywhere. */
function withLinear(command: Command): Command {
  const all = withFit(command.optionsGroup('Decoding from regions:'));
  const others = new Set(withRetinotopic(new Command()).options.map(({ long }) => long)).add('--decoder');
  for (const option of all.options) if (others.has(option.long)) option.hideHelp();
  return all;
}

const collected = (value: string, before: string[] = []) => [...before, value];

/** Bootstrap draws. */
const DRAWS = 1000;

/** What maps are made of: a study, or responses that lie in files of a known kind. */
interface Responses {
  readonly study: Study | undefined;
  readonly recording: () => Recording;
  readonly selection: Recording['selection'];
  readonly name: string;
  readonly regions: Recording['regions'];
  readonly warnings: readonly string[];
  close(): void;
}

async function run(path: string, options: Options, context: Context): Promise<void> {
  const { console, signal, backend } = context;
  checkUse(options);
  const output = await prepareOutput({
    path: options.output,
    kind: 'folder of maps',
    force: options.force,
    inputs: [path, options.data, options.bundle, options.mask],
  });
  console.progress('read the responses');
  const responses = await openResponses(path, options, context);
  try {
    const { study } = responses;
    const maps: MadeMap[] = [];
    const notes: string[] = [...responses.warnings];
    const add = (made: { maps: readonly MadeMap[]; notes: readonly string[] }) => {
      maps.push(...made.maps);
      notes.push(...made.notes);
    };
    let bundle = 'none';
    if (options.bundle !== undefined) {
      const { recording } = responses;
      const opened = await openReadout(options.bundle, options.head, study, recording, context);
      bundle = opened.model.contentHash;
      const made = await readoutMaps(opened, { target: options.target, form: options.pattern }, context);
      if (options.intervals === undefined) add(made);
      else {
        const trials = study?.trials ?? recording().trials;
        const draws = options.intervals === true ? DRAWS : options.intervals;
        const over = options.intervalsOver ?? 'trial';
        const [before, ...others] = made.maps;
        const memory = ceilingOf(backend, backendOptions(options).memoryLimit);
        const settings = { target: options.target, draws, over, memory };
        const { weights, ...intervals } = await intervalMaps(opened, trials, before!, settings, context);
        add({ maps: [weights, ...others], notes: made.notes });
        add(intervals);
      }
    }
    if (options.noiseCeiling) {
      add(await ceilingMaps(responses.recording(), options.zscoreSessions ? 'session' : 'none', context));
    }
    const given = await readRegions(options, responses.selection, signal);
    const regions = given.size > 0 ? given : responses.regions;
    let decoded: DecodedRegions | undefined;
    if (options.decodeRegions) {
      if (!study) throw usage('--decode-regions needs a study with stimuli');
      if (regions.size === 0) throw usage('--decode-regions needs regions: --atlas or --region');
      const settings = fitSettings(options, 'no');
      const target = withTargets(study, settings.targets);
      decoded = await decodeRegions(target, regions, options.leaveOneOut, settings, context);
    }
    if (maps.length === 0 && !decoded) throw usage(notes.at(-1) ?? 'nothing was made');
    const reported = provenanceOf(responses.name, 'maps', bundle, backend.info, []);
    const made: MadeMaps = {
      study: study ?? { name: responses.name },
      selection: responses.selection,
      maps,
      regions,
      decoded,
      notes,
      reported,
    };
    console.progress('draw');
    const figures = await drawMaps(made, signal);
    await writeFolderAtomic(options.output, (write) => writeMaps(made, figures, write, signal), {
      ...output,
      signal,
      onRepair: console.warn,
    });
    for (const note of notes) console.warn(`note: ${note}`);
    const named = derivativeNameNote(options.output);
    if (named !== undefined) console.warn(`note: ${named}`);
    report(made, options.output, context);
  } finally {
    responses.close();
  }
}

/** What may be taken: the user’s ceiling, or what is left of the memory that the device computes in. */
function ceilingOf({ name, info }: Pick<Backend, 'name' | 'info'>, limit: number | undefined) {
  if (limit) return limit;
  const onHost = name === 'cpu' || name === 'reference';
  return onHost ? (process.availableMemory?.() ?? freemem()) : info.memory?.free;
}

function report({ maps, decoded, notes, reported }: MadeMaps, output: string, { console }: Context): void {
  const page = join(output, 'maps.html');
  console.result({
    output,
    page,
    maps: maps.map(({ name, title, units, values }) => ({ name, title, units, voxels: values.length })),
    ...(decoded && { decodedRegions: decoded }),
    notes,
    runId: reported.runId,
    device: reported.device,
  });
  for (const { title, values, units } of maps) {
    console.print(`${title}: ${values.length} voxels (${units})`);
  }
  for (const { words, all, regions } of decoded?.scores ?? []) {
    console.print(`${words}: ${all.toFixed(3)} with all voxels`);
    for (const { region, alone, without } of regions) {
      console.print(
        `  ${region}: ${alone.toFixed(3)} alone, ${without === undefined ? 'n/a' : without.toFixed(3)} without it`,
      );
    }
  }
  console.print(`maps: ${page}`);
}

function checkUse({
  bundle,
  head,
  target,
  pattern,
  intervals,
  intervalsOver,
  noiseCeiling,
  zscoreSessions,
  decodeRegions,
  leaveOneOut,
}: Options) {
  if (bundle === undefined && !noiseCeiling && !decodeRegions) {
    throw usage('maps needs --bundle FOLDER, --noise-ceiling or --decode-regions');
  }
  const ofBundle = Object.entries({
    '--head': head,
    '--target': target,
    '--pattern': pattern,
    '--intervals': intervals,
  });
  const foreign = ofBundle.find(([, value]) => bundle === undefined && value !== undefined);
  if (foreign) throw usage(`${foreign[0]} is of the maps of a decoder: --bundle FOLDER`);
  if (intervalsOver !== undefined && intervals === undefined)
    throw usage('--intervals-over is of --intervals');
  if (typeof intervals === 'number' && !(intervals >= 100 && intervals <= 1e5))
    throw usage(`--intervals takes 100 to 100,000 draws, not ${intervals}`);
  if (zscoreSessions && !noiseCeiling) throw usage('--zscore-sessions is of --noise-ceiling');
  if (leaveOneOut !== undefined && !decodeRegions) throw usage('--leave-one-out is of --decode-regions');
}

/** What was chosen of the recording when the bundle was fitted: its maps are of the same voxels. */
async function choicesOf(bundle: string | undefined, signal: AbortSignal) {
  if (bundle === undefined) return {};
  const model = await readModel(await nodeFolder(bundle), signal);
  return model.kind === HEADS_KIND ? readChoices(model.report, `${bundle}/model.json`) : {};
}

async function openResponses(path: string, options: Options, context: Context): Promise<Responses> {
  const { signal } = context;
  const folder = await stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  const isStudy = folder
    ? await stat(join(path, 'study.json')).then(
        () => true,
        () => false,
      )
    : basename(path).endsWith('.json');
  if (isStudy || !folder) {
    const foreign = (['subject', 'roi', 'betas', 'mask'] as const).find(
      (name) => options[name] !== undefined,
    );
    if (foreign) throw usage(`--${foreign} is of folders of NSD and BIDS; a study states its voxels itself`);
    const study = await openStudy(path, options.data, signal);
    return {
      study,
      recording: () => recordingOf(study),
      selection: study.selection,
      name: study.name,
      regions: new Map(),
      warnings: study.warnings,
      close: () => undefined,
    };
  }
  const { subject, roi, betas, mask } = options;
  const given = Object.entries({ subject, roi, betas, mask }).filter(([, value]) => value !== undefined);
  const recording = await openAt(
    path,
    { ...(await choicesOf(options.bundle, signal)), ...Object.fromEntries(given) },
    context,
  );
  return {
    study: undefined,
    recording: () => recording,
    selection: recording.selection,
    name: recording.name,
    regions: recording.regions,
    warnings: recording.warnings,
    close: () => recording.close(),
  };
}
