import { type FileContent, MINDEYE_FILES, type WriteFile } from '@fmri2image/core';
import { writeFolderAtomic } from '@fmri2image/node';
import type { Context } from '../context.ts';
import { checkDiskRoom, type Written } from '../diskRoom.ts';
import { drawAnatomy, gridFor } from '../nsd/anatomy.ts';
import { type FeatureRequest, featureRequest, simulatedFeatures } from '../nsd/features.ts';
import { normaliseSession, type SimulatedNsd, simulateNsd } from '../nsd/simulate.ts';
import { SAMPLE_BYTES, writeNsdLayout } from '../nsd/write.ts';
import { writeNative } from '../nsd/writeNative.ts';
import { usage } from '../options.ts';
import { prepareOutput } from '../output.ts';

/** Options of `simulate` for the files of NSD. */
export interface SimulateNsdOptions {
  output: string;
  layout: 'nsd' | 'mindeye';
  seed: number;
  voxels: number;
  trainPictures: number;
  trainRepeats: number;
  testPictures: number;
  repeats: number;
  sessions: number;
  size: number;
  noise: number;
  betasFormat: 'hdf5' | 'nifti';
  grid?: readonly number[];
  features?: readonly string[];
  force?: boolean;
}

const SUBJECT = 1;
/** Sessions of NSD, at most. */
const SESSIONS = 40;

/**
 * One simulated person in the files of NSD, or in those that MindEye2 published of it: for trying commands. One session is
 * in memory at a time.
 */
export async function runSimulateNsd(options: SimulateNsdOptions, context: Context): Promise<void> {
  const { backend, console, signal } = context;
  const output = await prepareOutput({
    path: options.output,
    kind: 'simulated NSD layout',
    force: options.force,
  });
  const requests = (options.features ?? []).map(featureRequest);
  const grid = gridOf(options);
  if (options.trainPictures + options.testPictures > 73_000) throw usage('NSD has 73000 pictures');
  if (options.sessions > SESSIONS) {
    throw usage(
      `--sessions: NSD has at most ${SESSIONS} of a subject, and is read so; found ${options.sessions}`,
    );
  }
  console.print(`writes ${await checkDiskRoom(plannedFiles(options, requests, grid))}`);
  console.progress('simulate');
  const simulated = await simulateNsd(options, backend, signal);
  const { trials, sessionTrials, numbers } = simulated.experiment;
  await writeFolderAtomic(
    options.output,
    async (write) => {
      const { output: _, force: __, ...settings } = options;
      await write('simulated.json', `${JSON.stringify({ ...NOTE, settings }, undefined, 2)}\n`);
      for (const request of requests) {
        const { features } = simulated;
        const content: FileContent = simulatedFeatures(request, features, numbers, options.seed, (share) =>
          console.progress(`write ${request.file}`, share),
        );
        await write(`features/${request.file}`, content);
      }
      await (options.layout === 'nsd'
        ? writeNative(
            simulated.experiment,
            drawAnatomy(options.voxels, grid),
            told(simulated, context),
            write,
            {
              subject: SUBJECT,
              format: options.betasFormat,
              noise: options.noise,
              seed: options.seed,
            },
          )
        : writeMindEye(simulated, context, write));
    },
    { ...output, signal, onRepair: console.warn },
  );
  const test = trials.filter(({ split }) => split === 'new_test').length;
  const sessions = Math.ceil(trials.length / sessionTrials);
  console.result({
    output: options.output,
    layout: options.layout,
    trials: trials.length,
    testTrials: test,
    sessions,
    voxels: options.voxels,
    features: requests,
  });
  console.print(
    `simulated betas in ${options.output}: ${trials.length} trials of ${options.voxels} voxels in ${sessions} sessions, ${test} of them for testing; not a real person, not NSD`,
  );
}

/** What the files take that grow with the simulation; tables and masks are small beside them. */
function plannedFiles(
  { output: at, layout, voxels, trainPictures, trainRepeats, testPictures, repeats }: SimulateNsdOptions,
  requests: readonly FeatureRequest[],
  grid: readonly number[],
): Written[] {
  const trials = trainPictures * trainRepeats + testPictures * repeats;
  const pictures = trainPictures + testPictures;
  const product = (extents: readonly number[]) => extents.reduce((all, extent) => all * extent, 1);
  return [
    // NSD's betas are int16 of the whole grid; MindEye's float32 of the voxels that it reads.
    { what: 'betas', bytes: trials * (layout === 'nsd' ? 2 * product(grid) : 4 * voxels), at },
    ...(layout === 'nsd' ? [] : [{ what: 'tars of trials', bytes: trials * SAMPLE_BYTES, at }]),
    ...requests.map(({ file, shape }) => ({ what: file, bytes: 4 * pictures * product(shape), at })),
  ];
}

const NOTE = {
  format: 'fmri2image-simulation',
  version: 1,
  note: 'simulated responses of a visual cortex to drawn pictures in files as those of NSD; not a real person, not NSD',
};

async function writeMindEye(simulated: SimulatedNsd, context: Context, write: WriteFile): Promise<void> {
  const { voxels, experiment } = simulated;
  function* normalised() {
    for (const session of told(simulated, context)) yield normaliseSession(session, voxels);
  }
  const { trials, sessionTrials } = experiment;
  const betas = { data: normalised(), shape: [trials.length, voxels] as const };
  await writeNsdLayout(SUBJECT, betas, trials, write, sessionTrials);
}

/** Sessions in turn; the terminal hears of each. */
function* told(
  { sessions, experiment }: SimulatedNsd,
  { console }: Context,
): Generator<Float32Array, void, void> {
  const count = Math.ceil(experiment.trials.length / experiment.sessionTrials);
  let session = 0;
  for (const responses of sessions()) {
    console.progress(`write session ${++session} of ${count}`, (session - 1) / count);
    yield responses;
  }
}

function gridOf({ grid, voxels, layout }: SimulateNsdOptions): [number, number, number] {
  if (!grid) return gridFor(voxels);
  const [x = 0, y = 0, z = 0] = grid;
  const whole =
    grid.length === 3 && grid.every((extent) => Number.isInteger(extent) && extent > 0 && extent < 32_768);
  if (!whole || x * y * z < voxels) {
    throw usage(
      `--grid needs three numbers whose product is at least the ${voxels} voxels, such as 81,104,83`,
    );
  }
  if (layout !== 'nsd')
    throw usage(`--grid is for --layout nsd: ${MINDEYE_FILES.betas(SUBJECT)} has no grid`);
  return [x, y, z];
}
