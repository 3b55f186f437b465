import {
  BETA_DATASET,
  BETA_SCALE,
  BETA_TYPES,
  createRandom,
  encodeElements,
  encodeHdf5,
  encodeMatlab5,
  encodeNifti,
  gzipPieces,
  hdf5Pieces,
  NSD_FILES,
  NSD_PICTURES,
  niftiHeader,
  type WriteFile,
} from '@fmri2image/core';
import type { Anatomy } from './anatomy.ts';
import type { Experiment } from './experiment.ts';
import { RUNS } from './write.ts';

export interface NativeOptions {
  readonly subject: number;
  readonly format: 'hdf5' | 'nifti';
  /** Deviation of the noise over that of the responses: the noise ceiling follows from it. */
  readonly noise: number;
  readonly seed: number;
}

const SPACE = 'func1pt8mm';
const [BETAS] = BETA_TYPES;
/** Percent signal change of a response of one deviation. */
const PERCENT = 1.2;
/** Sessions differ in the mean of a voxel (percent) and in its gain. */
const SESSION_SHIFT = 0.6;
const SESSION_GAIN = 0.2;
/** Sessions up to this size are written in NSD's chunks, one a voxel, which takes them in memory; larger ones in one row. */
const CHUNKED_BYTES = 2 ** 28;
const SUBJECTS = 8;

/**
 * Writes a simulated subject in NSD's own files: experimental design, responses.tsv, ROIs with their labels, betas of each
 * session as int16 (percent signal change x 300) and ncsnr. Pictures and nsd_stim_info_merged.csv are not written.
 *
 * @param sessions responses of each session [trials, voxels]; taken one at a time
 */
export async function writeNative(
  experiment: Experiment,
  anatomy: Anatomy,
  sessions: Iterable<Float32Array>,
  write: WriteFile,
  { subject, format, noise, seed }: NativeOptions,
): Promise<void> {
  await write(NSD_FILES.design, designFile(experiment, subject, seed));
  await write(NSD_FILES.responses(subject), responsesTable(experiment, subject));
  for (const [atlas, { labels, names }] of Object.entries(anatomy.atlases)) {
    await write(NSD_FILES.roi(subject, SPACE, atlas), image(anatomy, 'i16', labels));
    const table = ['Unknown', ...names].map((name, label) => `${label} ${name}\n`).join('');
    await write(NSD_FILES.labels(subject, atlas), table);
  }
  const ceiling = new Float32Array(sizeOf(anatomy));
  for (const voxel of anatomy.responding) ceiling[voxel] = 1 / noise;
  await write(NSD_FILES.noiseCeiling(subject, SPACE, BETAS), image(anatomy, 'f32', ceiling));
  const random = createRandom(seed * 1000 + 500);
  let session = 0;
  for (const responses of sessions) {
    session++;
    const volumes = () => volumesOf(responses, anatomy, noise, random.integer(2 ** 31));
    const trials = responses.length / anatomy.responding.length;
    const path = NSD_FILES.betas(subject, SPACE, BETAS, session);
    if (format === 'nifti') await write(`${path}.nii.gz`, niftiFile(anatomy, trials, volumes()));
    else await write(`${path}.hdf5`, await hdf5File(anatomy, trials, volumes()));
  }
}

const sizeOf = ({ grid: [x, y, z] }: Anatomy) => x * y * z;

/**
 * Order of presentations, pictures of each subject, and which of them are shared (here: the test pictures). The other
 * subjects' pictures are numbers alone.
 */
function designFile({ trials, numbers }: Experiment, subject: number, seed: number): Uint8Array {
  const pictures = Math.max(...trials.map(({ place }) => place)) + 1;
  const own = new Float64Array(pictures);
  const shared = new Set<number>();
  for (const { place, image, split } of trials) {
    own[place] = image + 1;
    if (split === 'new_test') shared.add(place);
  }
  const taken = new Set(numbers);
  const free = createRandom(seed * 1000 + 501).shuffle(
    Array.from({ length: NSD_PICTURES }, (_, i) => i).filter((number) => !taken.has(number)),
  );
  const subjectim = new Float64Array(SUBJECTS * pictures);
  for (let s = 0, next = 0; s < SUBJECTS; s++) {
    for (let place = 0; place < pictures; place++) {
      const seen = s === subject - 1 || shared.has(place);
      subjectim[s * pictures + place] = seen ? own[place]! : free[next++ % free.length]! + 1;
    }
  }
  const places = [...shared].sort((a, b) => a - b);
  return encodeMatlab5({
    masterordering: { shape: [1, trials.length], data: Float64Array.from(trials, ({ place }) => place + 1) },
    subjectim: { shape: [SUBJECTS, pictures], data: subjectim },
    sharedix: { shape: [1, places.length], data: Float64Array.from(places, (place) => own[place]!) },
  });
}

const COLUMNS = [
  'SUBJECT',
  'SESSION',
  'RUN',
  'TRIAL',
  '73KID',
  '10KID',
  'TIME',
  'ISOLD',
  'ISCORRECT',
  'RT',
  'CHANGEMIND',
  'MEMORYRECENT',
  'MEMORYFIRST',
  'ISOLDCURRENT',
  'ISCORRECTCURRENT',
  'TOTAL1',
  'TOTAL2',
  'BUTTON',
  'MISSINGDATA',
];
/** Seconds from one picture to the next, and of a day, the unit of the column TIME. */
const TRIAL_SECONDS = 4;
const DAY = 86_400;

/** A line for each trial (NSD data manual, Behavioral data); nobody pressed a button. */
function responsesTable({ trials, sessionTrials }: Experiment, subject: number): string {
  const last = new Map<number, { first: number; recent: number; session: number }>();
  const lines = trials.map(({ trial, image, place, repeat }) => {
    const session = Math.floor(trial / sessionTrials);
    const inSession = trial % sessionTrials;
    const run = Math.floor((inSession * RUNS) / sessionTrials);
    const firstOfRun = Math.ceil((run * sessionTrials) / RUNS);
    const before = last.get(image);
    last.set(image, { first: before?.first ?? trial, recent: trial, session });
    const time = session + (inSession * TRIAL_SECONDS) / DAY;
    return [
      subject,
      session + 1,
      run + 1,
      inSession - firstOfRun + 1,
      image + 1,
      place + 1,
      time.toFixed(8),
      repeat > 0 ? 1 : 0,
      'NaN',
      'NaN',
      'NaN',
      before ? trial - before.recent - 1 : 'NaN',
      before ? trial - before.first - 1 : 'NaN',
      before?.session === session ? 1 : 0,
      'NaN',
      0,
      0,
      'NaN',
      0,
    ].join('\t');
  });
  return `${[COLUMNS.join('\t'), ...lines].join('\n')}\n`;
}

function image({ grid, affine }: Anatomy, dtype: 'i16' | 'f32', data: Int16Array | Float32Array) {
  return gzipPieces([encodeNifti({ dtype, shape: grid, affine, data })]);
}

/** Volume of each trial, x fastest: percent signal change x 300; 0 outside the brain, noise where nothing responds. */
function* volumesOf(
  responses: Float32Array,
  anatomy: Anatomy,
  noise: number,
  seed: number,
): Generator<Int16Array, void, void> {
  const { responding, other } = anatomy;
  const voxels = responding.length;
  const random = createRandom(seed);
  const shift = random.normals(voxels).map((value) => SESSION_SHIFT * value);
  const gain = random.normals(voxels).map((value) => PERCENT * (1 + SESSION_GAIN * Math.tanh(value)));
  const stored = (percent: number) => Math.max(-32_768, Math.min(32_767, Math.round(BETA_SCALE * percent)));
  for (let first = 0; first < responses.length; first += voxels) {
    const volume = new Int16Array(sizeOf(anatomy));
    for (let v = 0; v < voxels; v++) {
      volume[responding[v]!] = stored(shift[v]! + gain[v]! * responses[first + v]!);
    }
    for (const voxel of other) volume[voxel] = stored(PERCENT * noise * random.normal());
    yield volume;
  }
}

function niftiFile({ grid, affine }: Anatomy, trials: number, volumes: Iterable<Int16Array>) {
  function* pieces() {
    yield niftiHeader({ dtype: 'i16', shape: [...grid, trials], affine });
    for (const volume of volumes) yield encodeElements(volume);
  }
  return gzipPieces(pieces());
}

async function hdf5File(
  anatomy: Anatomy,
  trials: number,
  volumes: Iterable<Int16Array>,
): Promise<Uint8Array | AsyncGenerator<Uint8Array, void, void>> {
  const [x, y, z] = anatomy.grid;
  const shape = [trials, z, y, x];
  if (2 * trials * sizeOf(anatomy) > CHUNKED_BYTES) {
    return hdf5Pieces({ name: BETA_DATASET, dtype: 'i16', shape }, volumes);
  }
  const data = new Int16Array(trials * sizeOf(anatomy));
  let at = 0;
  for (const volume of volumes) {
    data.set(volume, at);
    at += volume.length;
  }
  return encodeHdf5({ [BETA_DATASET]: { array: { dtype: 'i16', shape, data }, chunks: [trials, 1, 1, 1] } });
}
