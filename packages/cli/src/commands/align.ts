import {
  type BundleModel,
  type ByStimulus,
  convertibleSchema,
  fitSubjectLayer,
  type Lineage,
  latentsFromFeatures,
  loadNetwork,
  matchWeights,
  type Network,
  openBundleWeights,
  type Study,
  saveAligned,
  sharedLatents,
  takeRows,
} from '@fmri2image/core';
import { nodeFolder, writeFolderAtomic } from '@fmri2image/node';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Context, withContext } from '../context.ts';
import { type DeviceOptions, withDevice, withStudy } from '../options.ts';
import { prepareOutput } from '../output.ts';
import {
  betasOf,
  checkTeachers,
  featuresOf,
  heldOutStimuli,
  lineageOf,
  rowsOf,
  stimulusOf,
  type TeacherStudy,
  teacherOf,
} from '../pipeline/alignment.ts';
import { voxelInput } from '../pipeline/fit.ts';
import { describeAlignment } from '../pipeline/lineage.ts';
import { hasSplits, selectTrials } from '../pipeline/select.ts';
import { type Terms, termsOf, withTerms } from '../terms.ts';

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
  const folder = await nodeFolder(bundle, { onRepair: console.warn });
  const opened = await openBundleWeights(folder, { signal });
  checkTeachers(opened.model, options.teacher, bundle);
  const study = await betasOf(path, options.data, signal);
  const trials = selectTrials(study, { split: hasSplits(study) ? 'train' : undefined });
  const matched = matchWeights(opened.weights, convertibleSchema(opened.model.kind));
  const learned = new Set(options.teacher.map(({ subject }) => `ridge.linears.${subject}.`));
  const network = await loadNetwork(opened.weights, matched, backend, {
    wanted: (name) => [...learned].some((prefix) => name.startsWith(prefix)),
    precision: 'f32',
    signal,
  });
  try {
    const { places, lineage } = await placeStimuli(network, study, trials, options, context);
    const layer = await fitSubjectLayer(
      {
        betas: takeRows(study.voxels, rowsOf(study, trials)),
        stimuli: trials.map((trial) => stimulusOf(study, trial)),
        runs: trials.map((trial) => study.trials[trial]!.run),
        input: await voxelInput(study),
        sawTest: hasSplits(study) ? 'no' : 'unknown',
      },
      places,
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
          lineage,
          onProgress: (done, total) => console.progress('write the bundle', done / total),
          ...combinedTerms(options, study, opened.model),
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
      ...lineage,
      trials: layer.trials,
      voxels: layer.voxels,
      report: layer.report,
      seconds,
    });
    const { used, all, stimuli } = layer.trials;
    console.print(
      `fitted the layer of the new subject on ${used} of ${all} trials (${stimuli} stimuli), ${layer.voxels} voxels, in ${seconds.fit.toFixed(2)} s (${backend.info.description})`,
    );
    for (const line of describeAlignment({ ...layer.report, ...lineage })) console.print(`  ${line}`);
    console.print(`bundle ${options.output} (${hash.slice(0, 12)}), aligned from ${bundle}`);
  } finally {
    network.dispose();
  }
}

/** Where stimuli lie in the shared space, as the teachers have it. */
async function placeStimuli(
  network: Network,
  study: Study,
  trials: readonly number[],
  { teacher: paths, targets, data }: Options,
  { console, signal }: Context,
): Promise<{ places: ByStimulus; lineage: Lineage }> {
  const held = heldOutStimuli(study);
  const features = new Map(featuresOf(study, trials));
  const teachers: Awaited<ReturnType<typeof teacherOf>>[] = [];
  for (const teacher of paths) {
    console.progress(`read ${teacher.path}`);
    teachers.push(await teacherOf(teacher, held, features, data, signal));
  }
  console.progress('latents of the other subjects');
  const latents = await sharedLatents(network, teachers, { signal });
  const shown = new Set(trials.map((trial) => stimulusOf(study, trial)));
  const isDirect = targets === 'latents';
  return {
    places: isDirect ? latents : await latentsFromFeatures(latents, features, network, { signal }),
    lineage: lineageOf(targets, teachers, shown),
  };
}

/** Terms of the new subject's data, and beside them those of the data that the model was trained on. */
function combinedTerms(options: Options, study: Study, model: BundleModel): Terms {
  const own = termsOf(options, study);
  const texts = [own.dataTerms, model.dataTerms].filter((text) => text !== undefined);
  return { ...own, dataTerms: texts.join('; ') || undefined };
}
