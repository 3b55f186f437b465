import { afterAll, expect, it } from 'vitest';
import {
  type Backend,
  CpuBackend,
  createRandom,
  memoryFolder,
  openBundle,
  ReferenceBackend,
  RidgeDecoder,
  type RidgeDecoderOptions,
  saveBundle,
} from '../src/index.ts';

const cpu = new CpuBackend({ threads: 2 });
const reference = new ReferenceBackend();
afterAll(async () => {
  await cpu.dispose();
  await reference.dispose();
});

const [TRIALS, VOXELS, PIXELS] = [60, 90, 12];

/** Pictures, and responses of linear voxels to them. */
function experiment(trials: number, seed: number) {
  const random = createRandom(seed);
  const tuning = createRandom(1).normals(VOXELS * PIXELS);
  const pictures = Float32Array.from({ length: trials * PIXELS }, () => random.uniform());
  const betas = Float32Array.from({ length: trials * VOXELS }, (_, i) => {
    const [trial, voxel] = [Math.floor(i / VOXELS), i % VOXELS];
    let drive = random.normal();
    for (let k = 0; k < PIXELS; k++) drive += tuning[voxel * PIXELS + k]! * pictures[trial * PIXELS + k]!;
    return 1000 + 20 * drive;
  });
  return {
    voxels: { data: betas, shape: [trials, VOXELS] },
    targets: { data: pictures, shape: [trials, 3, 4] },
    output: { kind: 'picture', shape: [3, 4], range: [0, 1] },
    groups: Array.from({ length: trials }, (_, i) => i % 4),
  } as const;
}

const training = experiment(TRIALS, 2);
const unseen = experiment(10, 3).voxels;

const fit = (backend: Backend, options: RidgeDecoderOptions = {}) =>
  RidgeDecoder.fit(training, options, { backend });

const worst = (a: Float32Array, b: Float32Array) =>
  a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0);

const kinds: RidgeDecoderOptions[] = [
  { storage: 'primal' },
  { storage: 'dual' },
  { storage: 'dual', alphas: [1e-4, 1e-2, 1], perTarget: false },
  { lags: [0, 1, 2], folds: 'leave-one-out' },
];

it.each(kinds)('the CPU chooses and predicts as the reference does: %j', async (options) => {
  const [here, there] = [await fit(cpu, options), await fit(reference, options)];
  expect(here.model.alphas).toEqual(there.model.alphas);
  expect(here.model.report.precision).toBe(there.model.report.precision);
  expect(worst(await here.predict(unseen), await there.predict(unseen))).toBeLessThan(2e-4);
  here.dispose();
  there.dispose();
});

it.each(kinds)('a bundle gives the same pictures on both: %j', async (options) => {
  const fitted = await fit(cpu, options);
  const files = new Map<string, Uint8Array>();
  await saveBundle(fitted, async (path, bytes) => void files.set(path, bytes));
  fitted.dispose();
  const folder = memoryFolder(files, 'bundle');
  const pictures = [];
  for (const backend of [cpu, reference]) {
    const decoder = await openBundle(folder, { backend });
    pictures.push(await decoder.predict(unseen));
    decoder.dispose();
  }
  expect(Math.max(...pictures[0]!)).toBeGreaterThan(0.5);
  expect(worst(pictures[0]!, pictures[1]!)).toBeLessThan(2e-5);
});

it('an abort stops a long fit within a second, and frees all', async () => {
  const [n, v, t] = [1500, 6000, 4000];
  const noise = (length: number, seed: number) => Float32Array.from(createRandom(seed).normals(length));
  const data = {
    voxels: { data: noise(n * v, 1), shape: [n, v] },
    targets: { data: noise(n * t, 2), shape: [n, t] },
  };
  const live = cpu.stats().liveTensors;
  for (const delay of [0, 20, 50, 80, 120, 400, 1500]) {
    const controller = new AbortController();
    const outcome = RidgeDecoder.fit(data, {}, { backend: cpu, signal: controller.signal }).then(
      () => 'finished',
      (error) => error,
    );
    await new Promise((resolve) => setTimeout(resolve, delay));
    const start = performance.now();
    controller.abort();
    expect(await outcome).toMatchObject({ code: 'CANCELLED' });
    expect(performance.now() - start).toBeLessThan(1000);
    expect(cpu.stats().liveTensors).toBe(live);
  }
});
