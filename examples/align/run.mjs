// A new subject in minutes: simulated subjects share a model; how well is a subject that it does not know identified, with
// 75 to 750 of its trials, beside ridge regression from scratch?
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  averageByStimulus,
  convertedModel,
  convertibleSchema,
  correlationMatrix,
  createBackend,
  fitSubjectLayer,
  latentsFromFeatures,
  loadDecoder,
  loadNetwork,
  matchWeights,
  meanScore,
  mindeye2Checkpoint,
  nodeFolder,
  openBundleWeights,
  RidgeDecoder,
  retrieval,
  saveAligned,
  sharedLatents,
  simulatePopulation,
  takeRows,
  trainSharedModel,
  twoWayIdentification,
  writeFolderAtomic,
  writeWeights,
} from '@fmri2image/node';

const HELP = `Usage: npm run example:align -- [options]

Simulates subjects, trains a shared model on all but the last, aligns the last one with 75, 150, 375 and 750 of its
trials, and identifies pictures that nobody was trained on, beside ridge regression from scratch. A minute or two.

  --seed <n>      of the simulation (default: 3)
  --voxels <n>    of each subject (default: 1000)
  --noise <x>     of one trial, over a voxel's responses (default: 5)
  --trials <list> trials of the new subject (default: 75,150,375,750)
  --threads <n>   threads of the CPU (default: all cores)
  --json          print one JSON object
  --help          this text`;
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '3' },
    voxels: { type: 'string', default: '1000' },
    noise: { type: 'string', default: '5' },
    trials: { type: 'string', default: '75,150,375,750' },
    threads: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const SUBJECTS = 4;
/** Pictures that each of the other subjects sees alone, beside those that the new subject sees too: as in NSD. */
const SEEN_BY_ONE = 2000;
const TEACHERS = SUBJECTS - 1;
const SEEN_BY_OTHERS = TEACHERS * SEEN_BY_ONE;
const TESTED = 300;
const TOKENS = 16;
const counts = values.trials.split(',').map(Number);
const aligned = Math.max(...counts);
const backend = await createBackend({
  device: 'cpu',
  ...(values.threads && { threads: Number(values.threads) }),
});
const folder = await mkdtemp(path.join(tmpdir(), 'f2i-align-'));
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
const say = (text) => !values.json && console.log(text);
try {
  say('simulating four people and their responses ...');
  const population = await simulatePopulation(
    {
      seed: Number(values.seed),
      size: 32,
      degrees: 8,
      subjects: SUBJECTS,
      voxels: Number(values.voxels),
      pictures: SEEN_BY_OTHERS + aligned + TESTED,
      features: 512,
      hiddenFeatures: 1024,
      noise: Number(values.noise),
    },
    backend,
  );
  const featuresOf = (pictures) => takeRows(population.features, pictures);

  say('training the model that three of them share ...');
  // The model that all share: three subjects, all pictures but the tested ones.
  const common = range(SEEN_BY_OTHERS, SEEN_BY_OTHERS + aligned);
  const teachers = range(0, TEACHERS).map((subject) => {
    const seen = [...range(subject * SEEN_BY_ONE, (subject + 1) * SEEN_BY_ONE), ...common];
    return {
      subject,
      betas: population.betas(subject, seen),
      stimuli: seen.map(String),
      targets: featuresOf(seen),
    };
  });
  const model = mindeye2Checkpoint(await trainSharedModel(teachers, 128, backend), TOKENS, 1);
  const matched = matchWeights(model, convertibleSchema('mindeye2'));
  const shared = path.join(folder, 'shared.bundle');
  await writeFolderAtomic(shared, (write) =>
    writeWeights(model, matched, convertedModel(model, matched, 'f32'), write, { dtype: 'f32' }),
  );

  // Where the pictures lie in its space.
  const opened = await openBundleWeights(await nodeFolder(shared));
  const network = await loadNetwork(
    opened.weights,
    matchWeights(opened.weights, convertibleSchema('mindeye2')),
    backend,
    {
      wanted: (name) => name.startsWith('ridge.'),
    },
  );
  const latents = await sharedLatents(network, teachers);
  const seen = range(0, SEEN_BY_OTHERS + aligned);
  const features = averageByStimulus(featuresOf(seen), seen.map(String), 'features');
  const targets = { latents, features: await latentsFromFeatures(latents, features, network) };
  network.dispose();

  // The new subject: three presentations of pictures that nobody was trained on.
  const tested = range(SEEN_BY_OTHERS + aligned, SEEN_BY_OTHERS + aligned + TESTED);
  const subject = TEACHERS;
  const test = [0, 1, 2].map(() => population.betas(subject, tested));
  const truth = featuresOf(tested);
  const scores = async (predict) => {
    const repeats = [];
    for (const betas of test) repeats.push(await predict(betas));
    const data = repeats[0].map((_, i) =>
      repeats.reduce((sum, repeat) => sum + repeat[i] / repeats.length, 0),
    );
    const rows = { data, shape: truth.shape };
    const { imageToBrain, brainToImage } = await retrieval(rows, truth, { backend });
    const correlations = await correlationMatrix(truth, rows, { backend });
    const own = Int32Array.from(range(0, TESTED));
    const twoWay = meanScore(twoWayIdentification(correlations, own), own);
    return {
      imageToBrain: imageToBrain.score,
      brainToImage: brainToImage.score,
      intervals: [imageToBrain.interval, brainToImage.interval],
      twoWay,
    };
  };

  say(
    `top-1 among ${TESTED} pictures (chance ${(1 / TESTED).toFixed(4)}): image to brain / brain to image; two-way`,
  );
  const rows = [];
  for (const count of counts) {
    const shown = range(SEEN_BY_OTHERS, SEEN_BY_OTHERS + count);
    const betas = population.betas(subject, shown);
    const row = { trials: count };
    for (const kind of ['latents', 'features']) {
      const started = performance.now();
      const layer = await fitSubjectLayer(
        { betas, stimuli: shown.map(String), sawTest: 'no' },
        targets[kind],
        {},
        { backend },
      );
      const bundle = path.join(folder, `${kind}-${count}.bundle`);
      await writeFolderAtomic(bundle, (write) => saveAligned(opened, layer, write));
      const seconds = (performance.now() - started) / 1e3;
      const decoder = await loadDecoder(bundle, { backend, stage: 'tokens' });
      row[kind] = { ...(await scores((trials) => decoder.predict(trials))), seconds };
      await decoder.dispose();
      await rm(bundle, { recursive: true });
    }
    for (const [name, perTarget] of [
      ['scratch', false],
      ['scratchPerFeature', true],
    ]) {
      const decoder = await RidgeDecoder.fit(
        { voxels: betas, targets: featuresOf(shown) },
        { perTarget },
        { backend },
      );
      row[name] = await scores((trials) => decoder.predict(trials));
      decoder.dispose();
    }
    rows.push(row);
    const shownScores = (s) =>
      `${s.imageToBrain.toFixed(3)} / ${s.brainToImage.toFixed(3)}; ${s.twoWay.toFixed(3)}`;
    say(`${count} trials`);
    say(`  aligned, latents of other subjects    ${shownScores(row.latents)}`);
    say(`  aligned, latents through features     ${shownScores(row.features)}`);
    say(`  ridge from scratch, one penalty       ${shownScores(row.scratch)}`);
    say(`  ridge from scratch, one a feature     ${shownScores(row.scratchPerFeature)}`);
  }
  if (values.json) console.log(JSON.stringify({ simulated: true, tested: TESTED, rows }));
} finally {
  await backend.dispose();
  await rm(folder, { recursive: true, force: true });
}
