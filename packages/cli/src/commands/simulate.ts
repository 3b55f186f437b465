import {
  DEMO_SIMULATION,
  encodeNpy,
  type Simulation,
  type SimulationOptions,
  simulate,
  type WriteFile,
} from '@fmri2image/core';
import { writeFolderAtomic } from '@fmri2image/node';
import { type Command, Option } from 'commander';
import { type Context, withContext } from '../context.ts';
import { checkDiskRoom } from '../diskRoom.ts';
import {
  type DeviceOptions,
  numberList,
  positiveNumber,
  seedNumber,
  usage,
  wholeNumber,
  withDevice,
} from '../options.ts';
import { prepareOutput } from '../output.ts';
import { runSimulateNsd, type SimulateNsdOptions } from './simulateNsd.ts';

type Options = DeviceOptions &
  Omit<SimulateNsdOptions, 'layout'> & { layout: SimulateNsdOptions['layout'] | 'study' };

export function simulateCommand(program: Command): void {
  const demo = DEMO_SIMULATION;
  const command = program
    .command('simulate')
    .summary('make a study of a simulated person who looks at drawn pictures')
    .description(
      'Writes a study: the time series of simulated voxels (receptive fields with surround and compressive nonlinearity, a response function of each voxel’s own, drift, correlated noise), trials, and pictures. The simulator shares no model with any decoder.',
    )
    .requiredOption('-o, --output <folder>', 'the study to write')
    .option('--seed <n>', 'another seed is another person', seedNumber, demo.seed)
    .option('--voxels <n>', 'voxels', wholeNumber, demo.voxels)
    .option('--train-pictures <n>', 'pictures shown once, for training', wholeNumber, demo.trainPictures)
    .option('--test-pictures <n>', 'pictures shown repeatedly, for testing', wholeNumber, demo.testPictures)
    .option('--repeats <n>', 'presentations of each test picture', wholeNumber, demo.testRepeats)
    .option('--size <pixels>', 'side of the pictures', wholeNumber, demo.size)
    .option(
      '--noise <level>',
      'deviation of the noise over that of the responses',
      positiveNumber,
      demo.noise,
    )
    .addOption(
      new Option(
        '--layout <name>',
        'a study of time series, or betas and trials in the files of NSD (nsd), or in those that MindEye2 published of it (mindeye)',
      )
        .choices(['study', 'nsd', 'mindeye'])
        .default('study'),
    )
    .option(
      '--train-repeats <n>',
      'nsd, mindeye: presentations of each training picture (NSD: 3)',
      wholeNumber,
      1,
    )
    .option('--sessions <n>', 'nsd, mindeye: scan sessions (NSD: 30 to 40)', wholeNumber, 2)
    .option('--grid <x,y,z>', 'nsd: voxels of the image (default: some more than respond)', numberList)
    .addOption(
      new Option('--betas-format <name>', 'nsd: files of betas').choices(['hdf5', 'nifti']).default('hdf5'),
    )
    .option(
      '--features <file=shape...>',
      'nsd, mindeye: also features of the pictures to decode, such as vision.npy=257x768 text.hdf5=77x768; a row a picture, by ascending number',
    )
    .option('-f, --force', 'replace an existing folder');
  withDevice(command).action((options: Options) =>
    withContext(options, (context) => {
      const { layout } = options;
      if (layout !== 'study') return runSimulateNsd({ ...options, layout }, context);
      if (options.features) throw usage('--features is for --layout nsd and mindeye');
      return run(options, context);
    }),
  );
}

async function run(options: Options, { backend, console, signal }: Context): Promise<void> {
  const settings: SimulationOptions = {
    ...DEMO_SIMULATION,
    seed: options.seed,
    voxels: options.voxels,
    trainPictures: options.trainPictures,
    testPictures: options.testPictures,
    testRepeats: options.repeats,
    size: options.size,
    noise: options.noise,
  };
  const output = await prepareOutput({ path: options.output, kind: 'simulated study', force: options.force });
  console.progress('simulate');
  const simulation = await simulate(settings, backend, { signal });
  const bytes = simulation.series.byteLength + simulation.pictures.pixels.byteLength;
  await checkDiskRoom([{ what: 'time series and pictures', bytes, at: options.output }]);
  await writeFolderAtomic(options.output, (write) => writeSimulation(simulation, write), {
    ...output,
    signal,
    onRepair: console.warn,
  });
  const volumes = simulation.series.length / settings.voxels;
  console.result({ output: options.output, settings, volumes, runs: simulation.runs.length });
  console.print(
    `simulated study in ${options.output}: ${simulation.runs.length} runs, ${volumes} volumes of ${settings.voxels} voxels`,
  );
  console.print(`next: npx fmri2image fit ${options.output} -o ${options.output}-ridge`);
}

/** The study that a lab would have, as files. Nothing that only the simulator knows is among them. */
export async function writeSimulation(
  { options, series, runs, pictures }: Simulation,
  write: WriteFile,
): Promise<void> {
  const { size, voxels, tr, degrees } = options;
  const count = pictures.categories.length;
  await write(
    'voxels.npy',
    encodeNpy({ dtype: 'f32', data: series, shape: [series.length / voxels, voxels] }),
  );
  await write('pictures.npy', encodeNpy({ dtype: 'f32', data: pictures.pixels, shape: [count, size, size] }));
  const header = 'onset\tduration\tstimulus\tlabel\trun\trepeat\tsplit';
  const lines = runs.flatMap((run, r) =>
    run.presentations.map((trial) =>
      [
        trial.onset,
        options.stimulusSeconds,
        trial.picture,
        pictures.categories[trial.picture],
        r + 1,
        trial.repeat + 1,
        trial.split,
      ].join('\t'),
    ),
  );
  await write('trials.tsv', `${[header, ...lines].join('\n')}\n`);
  const manifest = {
    format: 'fmri2image-study',
    version: 1,
    name: `simulated-${options.seed}`,
    description: 'Simulated responses of a visual cortex to drawn pictures; not a real person',
    dataTerms: 'CC0-1.0',
    tr,
    indexBase: 0,
    voxels: { file: 'voxels.npy', rows: 'volumes' },
    runs: runs.map((run, r) => ({
      name: String(r + 1),
      first: run.firstVolume,
      last: run.firstVolume + run.volumes - 1,
      split: run.split,
    })),
    trials: { file: 'trials.tsv' },
    stimuli: { file: 'pictures.npy', axes: ['stimulus', 'y', 'x'], range: [0, 1] },
    visualField: { widthDegrees: degrees, heightDegrees: degrees, origin: 'centre', yDirection: 'down' },
  };
  await write('study.json', `${JSON.stringify(manifest, undefined, 2)}\n`);
}
