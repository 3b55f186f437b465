import {
  averageByStimulus,
  type ByStimulus,
  convertibleSchema,
  F2iError,
  fitSubjectLayer,
  latentsFromFeatures,
  loadNetwork,
  matchWeights,
  openBundleWeights,
  type Study,
  saveAligned,
  sharedLatents,
  type Teacher,
  takeRows,
} from '@fmri2image/core';
import { nodeFolder, writeFolderAtomic } from '@fmri2image/node';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Context, withContext } from '../context.ts';
import { type DeviceOptions, withDevice, withStudy } from '../options.ts';
import { prepareOutput } from '../output.ts';
import { voxelInput } from '../pipeline/fit.ts';
import { hasSplits, selectTrials } from '../pipeline/select.ts';
import { openStudy } from '../study.ts';
import { termsOf, withTerms } from '../terms.ts';

interface Options extends DeviceOptions {
  data?: string;
  output: string;
  teacher: TeacherStudy[];
  targets: 'latents' | 'features';
  force?: boolean;
  dataTerms?: string;
  consentReference?: string;
  pseudonym?: string;
}

/** A subject of the model and where its trials are. */
interface TeacherStudy {
  readonly subject: number;
  readonly path: string;
}

export function alignCommand(program: Command): void {
  const command = program
    .command('align')
    .summary('fit the layer of a new subject to a model that other subjects share')
    .description(
      'Fits the linear layer from a new subject’s voxels into the shared space of a pretrained model (mindeye2) in closed form, and writes the model with that layer as its only subject. Each stimulus that the new subject saw is placed in that space by subjects whom the model knows (--teacher): by their responses to the same stimuli, or, where they saw others, through features. Studies must hold betas, one row a trial, prepared as the model expects; stimuli are matched by name. Trials of split "test" are not used, nor what teachers say of those stimuli.',
    )
    .argument('<bundle>', 'a converted model with layers of subjects')
    .requiredOption(
      '--teacher <subject=study>',
      'a subject of the model, by its index, and its study; may be given several times',
      teacherStudy,
    )
    .addOption(
      new Option('--targets <kind>', 'what places stimuli in the shared space')
        .choices(['latents', 'features'])
        .default('latents'),
    )
    .requiredOption('-o, --output <folder>', 'the bundle to write')
    .option('-f, --force', 'replace an existing bundle');
  withDevice(withTerms(withStudy(command))).action((bundle: string, study: string, options: Options) =>
    withContext(options, (context) => align(bundle, study, options, context)),
  );
}

function teacherStudy(text: string, before: TeacherStudy[] = []): TeacherStudy[] {
  const [, subject, path] = /^(\d{1,3})=(.+)$/.exec(text) ?? [];
  if (subject === undefined || path === undefined) {
    throw new InvalidArgumentError('expected the index of a subject and its study: 0=subj01/study.json');
  }
  if (before.some((teacher) => teacher.subject === Number(subject))) {
    throw new InvalidArgumentError(`subject ${subject} is given twice`);
  }
  return [...before, { subject: Number(subject), path }];
}

async function align(bundle: string, path: string, options: Options, context: Context): Promise<void> {
  const { console, signal, backend } = context;
  const started = performance.now();
  const output = await prepareOutput({
    path: options.output,
    kind: 'bundle',
    force: options.force,
    inputs: [bundle, path, options.data, ...options.teacher.map((teacher) => teacher.path)],
  });
  console.progress('read the studies');
  const study = await betasOf(path, options.data, signal);
  const trials = selectTrials(study, { split: hasSplits(study) ? 'train' : undefined });
  const held = heldOutStimuli(study);
  const folder = await nodeFolder(bundle, { onRepair: console.warn });
  const opened = await openBundleWeights(folder, { signal });
  const matched = matchWeights(opened.weights, convertibleSchema(opened.model.kind));
  const learned = new Set(options.teacher.map(({ subject }) => `ridge.linears.${subject}.`));
  const network = await loadNetwork(opened.weights, matched, backend, {
    wanted: (name) => [...learned].some((prefix) => name.startsWith(prefix)),
    precision: 'f32',
    signal,
  });
  try {
    const features = new Map(featuresOf(study, trials));
    const teachers: Teacher[] = [];
    for (const teacher of options.teacher) {
      console.progress(`read ${teacher.path}`);
      teachers.push(await teacherOf(teacher, held, features, options.data, signal));
    }
    console.progress('latents of the other subjects');
    const latents = await sharedLatents(network, teachers, { signal });
    const targets =
      options.targets === 'latents'
        ? latents
        : await latentsFromFeatures(latents, features, network, { signal });
    const layer = await fitSubjectLayer(
      {
        betas: takeRows(
          study.voxels,
          trials.map((trial) => study.trials[trial]!.row!),
        ),
        stimuli: trials.map((trial) => stimulusOf(study, trial)),
        runs: trials.map((trial) => study.trials[trial]!.run),
        input: await voxelInput(study),
        sawTest: hasSplits(study) ? 'no' : 'unknown',
      },
      targets,
      {},
      {
        backend,
        signal,
        onProgress: ({ phase, done, total }) => console.progress(`align: ${phase}`, done / total),
      },
    );
    const fitted = performance.now();
    let hash = '';
    await writeFolderAtomic(
      options.output,
      async (write) => {
        hash = await saveAligned(opened, layer, write, {
          signal,
          onProgress: (done, total) => console.progress('write the bundle', done / total),
          dataTerms: combinedTerms(options, study, opened.model.dataTerms),
        });
      },
      { ...output, signal, onRepair: console.warn },
    );
    for (const warning of layer.warnings) console.warn(`note: ${warning}`);
    const seconds = { fit: (fitted - started) / 1e3, all: (performance.now() - started) / 1e3 };
    console.result({
      bundle: options.output,
      contentHash: hash,
      parent: opened.model.contentHash,
      targets: options.targets,
      teachers: options.teacher.map(({ subject }) => subject),
      trials: layer.trials,
      voxels: layer.voxels,
      report: layer.report,
      seconds,
    });
    const { used, all, stimuli } = layer.trials;
    console.print(
      `fitted the layer of the new subject on ${used} of ${all} trials (${stimuli} stimuli), ${layer.voxels} voxels, in ${seconds.fit.toFixed(2)} s (${backend.info.description})`,
    );
    console.print(`bundle ${options.output} (${hash.slice(0, 12)}), aligned from ${bundle}`);
  } finally {
    network.dispose();
  }
}

/** A study whose rows are trials with stimuli. */
async function betasOf(path: string, data: string | undefined, signal: AbortSignal): Promise<Study> {
  const study = await openStudy(path, data, signal);
  if (study.rows !== 'trials') {
    throw new F2iError('USAGE', 'alignment takes betas', {
      file: path,
      field: 'voxels',
      expected: 'one row a trial',
      found: 'one row a volume',
    });
  }
  if (!study.stimuli) {
    throw new F2iError('USAGE', 'alignment matches trials by their stimuli', {
      file: path,
      field: 'stimuli',
      expected: 'stimuli with names',
      found: 'none',
    });
  }
  return study;
}

/** Stimuli that the new subject is to be tested on: nothing is learned of them, from anyone. */
function heldOutStimuli(study: Study): ReadonlySet<string> {
  if (!hasSplits(study)) return new Set();
  const kept = study.trials.flatMap((trial, i) => (trial.split === 'train' ? [] : [i]));
  return new Set(kept.map((trial) => stimulusOf(study, trial)));
}

function stimulusOf(study: Study, trial: number): string {
  const { stimulus } = study.trials[trial]!;
  if (stimulus !== undefined) return study.stimuli!.names[stimulus]!;
  throw new F2iError('USAGE', 'alignment needs the stimulus of each trial', {
    file: study.name,
    field: `trial ${trial + 1}`,
    expected: 'a stimulus',
    found: 'none',
  });
}

/** What was shown, as features by the name of the stimulus. */
function featuresOf(study: Study, trials: readonly number[]): ByStimulus {
  const { values, names } = study.stimuli!;
  const width = values.data.length / names.length;
  const shown = [...new Set(trials.map((trial) => study.trials[trial]!.stimulus!))];
  const rows = takeRows(values, shown);
  return averageByStimulus(
    { data: rows.data, shape: [shown.length, width] },
    shown.map((stimulus) => names[stimulus]!),
    `stimuli of ${study.name}`,
  );
}

async function teacherOf(
  { subject, path }: TeacherStudy,
  held: ReadonlySet<string>,
  features: Map<string, Float32Array>,
  data: string | undefined,
  signal: AbortSignal,
): Promise<Teacher> {
  const study = await betasOf(path, data, signal);
  const trials = study.trials.flatMap((_, i) => (held.has(stimulusOf(study, i)) ? [] : [i]));
  if (trials.length === 0) {
    throw new F2iError('USAGE', 'the teacher saw nothing but stimuli that the new subject is tested on', {
      file: path,
    });
  }
  for (const [name, values] of featuresOf(study, trials)) {
    checkSame(name, values, features.get(name), path);
    features.set(name, values);
  }
  return {
    subject,
    betas: takeRows(
      study.voxels,
      trials.map((trial) => study.trials[trial]!.row!),
    ),
    stimuli: trials.map((trial) => stimulusOf(study, trial)),
  };
}

/** Names of rows of a file are their numbers: in another file they may be those of other pictures. */
function checkSame(name: string, values: Float32Array, known: Float32Array | undefined, path: string): void {
  if (!known) return;
  const same = known.length === values.length && known.every((value, i) => value === values[i]);
  if (same) return;
  throw new F2iError('USAGE', 'studies have different stimuli of one name', {
    file: path,
    field: name,
    expected: 'the same values in all studies: stimuli are matched by name',
    found: known.length === values.length ? 'other values' : `${values.length} values, not ${known.length}`,
  });
}

/** Terms of the new subject's data beside those of the model. */
function combinedTerms(options: Options, study: Study, model: string | undefined): string | undefined {
  const own = termsOf(options, study).dataTerms;
  return [own, model].filter((text) => text !== undefined).join('; ') || undefined;
}
