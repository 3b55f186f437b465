import {
  DEMO_SIMULATION,
  encodeNpy,
  encodePng,
  prepareStudy,
  ReferenceBackend,
  RidgeDecoder,
  type Rows,
  type Simulation,
  type SimulationOptions,
  type Study,
  saveBundle,
  simulate,
  takeRows,
} from '@fmri2image/core';

/** A demo is a path and its bytes. */
export type DemoFiles = ReadonlyMap<string, Uint8Array>;

/** A simulated person who is decoded well enough to be recognised, in some megabytes. */
export const PAGE_DEMO: SimulationOptions = {
  ...DEMO_SIMULATION,
  seed: 4,
  voxels: 600,
  trainPictures: 900,
  testPictures: 48,
  testRepeats: 3,
};

const CUTOFF_SECONDS = 128;
/** Seconds after onset whose mean is the response to a trial. */
const DELAYS = [3.5, 5, 6.5, 8];

/** Penalties to choose from. */
const ALPHAS = [1e2, 1e3, 1e4, 1e5];

/** Pictures of the preview, and pixels between them. */
const PREVIEW = 8;
const GAP = 1;

type Matrix = Rows & { readonly data: Float32Array };

/**
 * The demo of the page, made by the simulator: a primal ridge bundle fitted on the training trials, and a study of the
 * test trials (each the mean of its repeats) that it has never seen. The same settings give the same bytes.
 */
export async function makeDemo(options: SimulationOptions = PAGE_DEMO): Promise<DemoFiles> {
  const backend = new ReferenceBackend();
  const files = new Map<string, Uint8Array>();
  const put = (folder: string) => async (path: string, bytes: Uint8Array) => {
    files.set(`demo/${folder}/${path}`, bytes);
  };
  try {
    const simulation = await simulate(options, backend);
    const study = studyOf(simulation);
    const prepared = prepareStudy(study, [
      { name: 'detrend', settings: { cutoffSeconds: CUTOFF_SECONDS } },
      { name: 'sample', settings: { delays: DELAYS } },
    ]);
    const betas = meanOverDelays(prepared.voxels, DELAYS.length);
    const training = rowsOf(study, 'train');
    const shown = training.map((row) => study.trials[row]!.stimulus!);
    const targets = takeRows(study.stimuli!.values, shown);
    const decoder = await RidgeDecoder.fit(
      {
        voxels: takeRows(betas, training),
        targets,
        output: { kind: 'picture', shape: targets.shape.slice(1), range: [0, 1] },
        groups: training.map((row) => study.trials[row]!.run),
        input: {
          selection: `all; detrended, mean of ${DELAYS[0]} to ${DELAYS.at(-1)} s after onset`,
        },
        sawTest: 'no',
        ledger: prepared.ledger.map((step) => ({
          ...step,
          runs: study.runs.filter(({ split }) => split === 'train').map(({ name }) => name),
          sawTest: 'no',
        })),
      },
      { perTarget: false, storage: 'primal', folds: { folds: 3 }, alphas: ALPHAS },
      { backend },
    );
    await saveBundle(decoder, put('bundle'), {
      dataTerms: 'CC0-1.0 (simulated)',
      pseudonym: `simulated person ${options.seed}`,
    });
    const test = await writeTestTrials(study, betas, meanOf(targets), options, put('responses'));
    const some = Array.from({ length: Math.min(PREVIEW, test.betas.shape[0]!) }, (_, row) => row);
    const made = await decoder.predict(takeRows(test.betas, some));
    files.set('demo/preview.png', previewOf(takeRows(test.pictures, some).data, made, options.size));
    decoder.dispose();
    return files;
  } finally {
    await backend.dispose();
  }
}

function studyOf({ options, pictures, runs, series }: Simulation): Study {
  const { size, voxels, tr } = options;
  const trials = runs.flatMap((run, r) =>
    run.presentations.map(({ picture, onset, split }) => ({
      volume: run.firstVolume + onset / tr,
      stimulus: picture,
      label: pictures.categories[picture]!,
      run: String(r + 1),
      split,
    })),
  );
  const count = pictures.categories.length;
  return {
    name: 'simulated',
    voxels: { data: series, shape: [series.length / voxels, voxels] },
    rows: 'volumes',
    tr,
    runs: runs.map(({ firstVolume, volumes, split }, r) => ({
      name: String(r + 1),
      start: firstVolume,
      end: firstVolume + volumes,
      split,
    })),
    trials,
    continuous: false,
    stimuli: {
      kind: 'pictures',
      names: pictures.categories.map((_, picture) => String(picture)),
      values: { data: Float32Array.from(pictures.pixels), shape: [count, size, size] },
    },
    scored: new Int32Array(),
    selection: { description: 'all', indices: Int32Array.from({ length: voxels }, (_, v) => v) },
    warnings: [],
    repairs: [],
  };
}

const rowsOf = ({ trials }: Study, split: string) =>
  trials.flatMap((trial, row) => (trial.split === split ? [row] : []));

/** [n, delays * v] to [n, v]. */
function meanOverDelays({ data, shape }: Matrix, delays: number): Matrix {
  const [rows, width] = shape as [number, number];
  const voxels = width / delays;
  const mean = new Float32Array(rows * voxels);
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < delays; d++) {
      for (let v = 0; v < voxels; v++)
        mean[row * voxels + v]! += data[row * width + d * voxels + v]! / delays;
    }
  }
  return { data: mean, shape: [rows, voxels] };
}

function meanOf({ data, shape }: Matrix): Matrix {
  const [rows] = shape as [number];
  const length = data.length / rows;
  const mean = new Float32Array(length);
  for (let i = 0; i < data.length; i++) mean[i % length]! += data[i]! / rows;
  return { data: mean, shape: shape.slice(1) };
}

/** One row for each test picture: the mean response over its repeats. */
async function writeTestTrials(
  study: Study,
  betas: Matrix,
  meanPicture: Matrix,
  { testRepeats }: SimulationOptions,
  write: (path: string, bytes: Uint8Array) => Promise<void>,
): Promise<{ betas: Matrix; pictures: Matrix }> {
  const test = rowsOf(study, 'test');
  const stimuli = [...new Set(test.map((row) => study.trials[row]!.stimulus!))].sort((a, b) => a - b);
  const means = stimuli.map((stimulus) =>
    meanOf(
      takeRows(
        betas,
        test.filter((row) => study.trials[row]!.stimulus === stimulus),
      ),
    ),
  );
  const voxels = betas.shape[1]!;
  const data = new Float32Array(means.length * voxels);
  means.forEach((mean, i) => {
    data.set(mean.data, i * voxels);
  });
  const npy = ({ data, shape }: Matrix) => encodeNpy({ dtype: 'f32', data, shape: [...shape] });
  const text = (value: string) => new TextEncoder().encode(value);
  const testBetas = { data, shape: [means.length, voxels] };
  const pictures = takeRows(study.stimuli!.values, stimuli);
  await write('betas.npy', npy(testBetas));
  await write('pictures.npy', npy(pictures));
  await write('mean-training-picture.npy', npy(meanPicture));
  const labels = stimuli.map(
    (stimulus) => study.trials[test.find((row) => study.trials[row]!.stimulus === stimulus)!]!.label,
  );
  const lines = labels.map((label, i) => [i, label, 'test', 'test'].join('\t'));
  await write('trials.tsv', text(`${['stimulus\tlabel\trun\tsplit', ...lines].join('\n')}\n`));
  const manifest = {
    format: 'fmri2image-study',
    version: 1,
    name: 'simulated person',
    description: `Each trial is the mean of ${testRepeats} simulated responses to a picture that the decoder has not seen`,
    dataTerms: 'CC0-1.0',
    indexBase: 0,
    voxels: { file: 'betas.npy', rows: 'trials' },
    trials: { file: 'trials.tsv' },
    stimuli: { file: 'pictures.npy', axes: ['stimulus', 'y', 'x'], range: [0, 1] },
  };
  await write('study.json', text(`${JSON.stringify(manifest, undefined, 2)}\n`));
  return { betas: testBetas, pictures };
}

/** Two rows of pictures, those that were shown above what was made of them; transparent between. */
function previewOf(shown: Float32Array, made: Float32Array, size: number): Uint8Array {
  const count = shown.length / size ** 2;
  const step = size + GAP;
  const [width, height] = [count * step - GAP, 2 * step - GAP];
  const data = new Float32Array(width * height * 4);
  for (let i = 0; i < shown.length; i++) {
    const picture = Math.floor(i / size ** 2);
    const [x, y] = [i % size, Math.floor(i / size) % size];
    for (const [row, values] of [shown, made].entries()) {
      const at = 4 * ((row * step + y) * width + picture * step + x);
      data.fill(values[i]!, at, at + 3);
      data[at + 3] = 1;
    }
  }
  return encodePng({ width, height, channels: 4, data });
}
