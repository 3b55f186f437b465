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

it('an abort stops a long fit long before its end, and frees all', async () => {
  const [n, v, t] = [700, 3000, 2000];
  const noise = (length: number, seed: number) => Float32Array.from(createRandom(seed).normals(length));
  const data = {
    voxels: { data: noise(n * v, 1), shape: [n, v] },
    targets: { data: noise(n * t, 2), shape: [n, t] },
  };
  const live = cpu.stats().liveTensors;
  const timed = async (signal?: AbortSignal) => {
    const begun = performance.now();
    const error = await RidgeDecoder.fit(data, {}, { backend: cpu, signal }).then(
      (decoder) => decoder.dispose(),
      (reason: unknown) => reason,
    );
    expect(cpu.stats().liveTensors).toBe(live);
    return { error, took: performance.now() - begun };
  };
  const whole = (await timed()).took;
  for (const part of [0, 0.02, 0.05, 0.1, 0.2, 0.5]) {
    // How long it went on after the abort, as a part of a whole fit. What else runs here disturbs only some attempts.
    let rest = Infinity;
    for (let attempt = 0; attempt < 5 && !(rest < 0.25); attempt++) {
      const controller = new AbortController();
      let aborted = Infinity;
      const timer = setTimeout(() => {
        aborted = performance.now();
        controller.abort();
      }, part * whole);
      const { error } = await timed(controller.signal);
      clearTimeout(timer);
      // A fit may be over before this thread gets to abort it.
      if (error === undefined) continue;
      rest = (performance.now() - aborted) / whole;
      expect(error).toMatchObject({ code: 'CANCELLED' });
    }
    expect(rest).toBeLessThan(0.25);
  }
});
