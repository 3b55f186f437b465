import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type SimulatedBars, simulateBars } from '../conformance/bars.ts';
import { frameScores, meanScores } from '../src/decoders/retinotopic/choose.ts';
import {
  type Backend,
  createRandom,
  createReferenceBackend,
  type F2iError,
  hasReceptiveFields,
  memoryFolder,
  openBundle,
  type RetinotopicConfig,
  RetinotopicDecoder,
  type RetinotopicDecoderOptions,
  type RetinotopicTrainingData,
  saveBundle,
} from '../src/index.ts';

let backend: Backend;
beforeEach(() => {
  backend = createReferenceBackend();
});
afterEach(async () => {
  expect(backend.stats().liveTensors).toBe(0);
  await backend.dispose();
});

const HRF = { peak: 5, width: 2.4, undershoot: 0, undershootPeak: 11, undershootWidth: 3.6 };
/** One setting of each kind: nothing is cross-validated. */
const PLAIN: RetinotopicDecoderOptions = {
  hrf: HRF,
  noiseCorrelation: 0.1,
  ridge: 0.1,
  smoothTime: 0.3,
  smoothSpace: 0.3,
  threshold: 0.3,
  iterations: 60,
  refinements: 4,
};
const HELD = 'sweep-2';
const bars = simulateBars({ height: 6, width: 8, voxels: 40, noise: 0.6, seed: 7 });

const rowsOf = ({ runs }: SimulatedBars, keep: (run: string) => boolean) =>
  runs.flatMap((run, row) => (keep(run) ? [row] : []));

function take(data: Float32Array, width: number, rows: readonly number[]): Float32Array {
  const taken = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) taken.set(data.subarray(row * width, (row + 1) * width), i * width);
  return taken;
}

function betasOf({ betas, voxels }: SimulatedBars, rows: readonly number[]) {
  return { data: take(betas, voxels, rows), shape: [rows.length, voxels] };
}

function trainingOf(
  subject: SimulatedBars,
  rows: readonly number[],
  more: Partial<RetinotopicTrainingData> = {},
): RetinotopicTrainingData {
  const { height, width, frames, runs, tr } = subject;
  return {
    voxels: betasOf(subject, rows),
    targets: { data: take(frames, height * width, rows), shape: [rows.length, height, width] },
    runs: rows.map((row) => runs[row]!),
    volumes: rows,
    repetitionTime: tr,
    ...more,
  };
}

const training = rowsOf(bars, (run) => run !== HELD);
const held = rowsOf(bars, (run) => run === HELD);
const fit = (options: RetinotopicDecoderOptions = PLAIN, data = trainingOf(bars, training)) =>
  RetinotopicDecoder.fit(data, options, { backend });

/** Mean correlation of the frames that show something with their reconstructions. */
function score({ frames, height, width }: SimulatedBars, rows: readonly number[], found: Float32Array) {
  const pixels = height * width;
  const scores = rows.flatMap((row, t) => {
    const truth = frames.subarray(row * pixels, (row + 1) * pixels);
    if (truth.filter((value) => value > 0.3).length < 6) return [];
    return [pearson(truth, found.subarray(t * pixels, (t + 1) * pixels))];
  });
  expect(scores.length).toBeGreaterThan(8);
  return scores.reduce((sum, value) => sum + value, 0) / scores.length;
}

function pearson(a: Float32Array, b: Float32Array): number {
  const mean = (x: Float32Array) => x.reduce((sum, value) => sum + value, 0) / x.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : 0;
}

const largest = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe('reconstruction', () => {
  it('reads the bars of an unseen sweep out of noisy voxels', async () => {
    using decoder = await fit();
    const found = await decoder.predict(betasOf(bars, held));
    expect(score(bars, held, found)).toBeGreaterThan(0.6);
    expect(Math.min(...found)).toBe(0);
    expect(Math.max(...found)).toBeLessThanOrEqual(1);
    expect(decoder.output).toEqual({ kind: 'picture', shape: [6, 8], range: [0, 1] });
    expect(decoder.voxels).toBe(40);
  });

  it('does no better than chance where voxels do not respond', async () => {
    const blind = simulateBars({ height: 6, width: 8, voxels: 40, noise: 1, seed: 8, blind: true });
    using decoder = await fit({ ...PLAIN, threshold: 0 }, trainingOf(blind, training));
    expect(Math.abs(score(blind, held, await decoder.predict(betasOf(blind, held))))).toBeLessThan(0.25);
  });

  it.each(['css', 'dog'] as const)('works with %s fields', async (prf) => {
    using decoder = await fit({ ...PLAIN, prf });
    expect(score(bars, held, await decoder.predict(betasOf(bars, held)))).toBeGreaterThan(0.6);
    const fields = decoder.receptiveFields();
    expect(fields.exponent !== undefined).toBe(prf === 'css');
    expect(fields.surroundSize !== undefined).toBe(prf === 'dog');
  });

  it('bounds are kept: none, non-negative, range', async () => {
    const range = [-1, 1] as const;
    const output = { kind: 'picture' as const, shape: [6, 8], range };
    const wide = Float32Array.from(take(bars.frames, 48, training), (value) => 2 * value - 1);
    const data = trainingOf(bars, training, {
      targets: { data: wide, shape: [training.length, 6, 8] },
      output,
    });
    using free = await fit({ ...PLAIN, bounds: 'none', ridge: 0.01 });
    using bounded = await fit(PLAIN, data);
    const found = await bounded.predict(betasOf(bars, held));
    // The same frames on another scale: black is -1.
    using plain = await fit(PLAIN);
    const expected = await plain.predict(betasOf(bars, held));
    expect(
      largest(
        found,
        expected.map((value) => 2 * value - 1),
      ),
    ).toBeLessThan(1e-4);
    // Without bounds the inversion undershoots, which the range of pictures cuts off.
    const loose = await free.predict(betasOf(bars, held));
    expect(largest(loose, expected)).toBeGreaterThan(0.02);
  });
});

describe('the inversion', () => {
  it('finds the minimum that a dense solution has', async () => {
    const decoder = await fit({
      ...PLAIN,
      bounds: 'none',
      iterations: 800,
      ridge: 0.3,
      noiseCorrelation: 0,
    });
    const { kernel, projection, gram, voxel, baseline } = decoder.model;
    const short = held.slice(8, 16);
    const found = await decoder.predict(betasOf(bars, short));
    decoder.dispose();
    const pixels = 48;
    const lead = kernel.length - 1;
    const frames = lead + short.length;
    // The normal equations of the penalised problem, written out over all frames and pixels.
    const size = frames * pixels;
    const h = (t: number, f: number) => kernel[t + lead - f] ?? 0;
    const timeGram = (f: number, g: number) => short.reduce((sum, _, t) => sum + h(t, f) * h(t, g), 0);
    let timeMean = 0;
    for (let f = lead; f < frames; f++) timeMean += timeGram(f, f) / short.length;
    let spaceMean = 0;
    for (let p = 0; p < pixels; p++) spaceMean += gram[p * pixels + p]! / pixels;
    const unit = timeMean * spaceMean;
    const gradient = (s: Float64Array) => {
      const out = new Float64Array(size);
      const blurred = new Float64Array(size);
      for (let f = 0; f < frames; f++) {
        for (let g = 0; g < frames; g++) {
          const weight = timeGram(f, g);
          if (weight === 0) continue;
          for (let p = 0; p < pixels; p++) blurred[f * pixels + p]! += weight * s[g * pixels + p]!;
        }
      }
      for (let f = 0; f < frames; f++) {
        for (let p = 0; p < pixels; p++) {
          const at = f * pixels + p;
          const here = s[at]!;
          let sum = 0.3 * unit * here;
          for (const other of [f - 1, f + 1]) {
            if (other >= 0 && other < frames) sum += 0.3 * unit * (here - s[other * pixels + p]!);
          }
          const [y, x] = [Math.floor(p / 8), p % 8];
          for (const [dy, dx] of [
            [0, 1],
            [0, -1],
            [1, 0],
            [-1, 0],
          ] as const) {
            const [ny, nx] = [y + dy, x + dx];
            if (ny >= 0 && ny < 6 && nx >= 0 && nx < 8) {
              sum += 0.3 * unit * (here - s[f * pixels + ny * 8 + nx]!);
            }
          }
          for (let q = 0; q < pixels; q++) sum += blurred[f * pixels + q]! * gram[q * pixels + p]!;
          out[at] = sum;
        }
      }
      return out;
    };
    const right = new Float64Array(size);
    for (const [t, row] of short.entries()) {
      for (let p = 0; p < pixels; p++) {
        let seen = 0;
        voxel.forEach((column, v) => {
          seen += (bars.betas[row * 40 + column]! - baseline[v]!) * projection[v * pixels + p]!;
        });
        for (let f = 0; f < frames; f++) right[f * pixels + p]! += h(t, f) * seen;
      }
    }
    const solution = conjugateGradients(gradient, right, 400);
    for (let t = 0; t < short.length; t++) {
      for (let p = 0; p < pixels; p++) {
        const expected = Math.min(1, Math.max(0, solution[(lead + t) * pixels + p]!));
        expect(Math.abs(found[t * pixels + p]! - expected)).toBeLessThan(1e-3);
      }
    }
  });

  it('weighs less what is noisier', async () => {
    // Ten voxels are drowned in noise: the pictures hardly change, compared with those of equal weights.
    const noisy = { ...bars, betas: Float32Array.from(bars.betas) };
    const random = createRandom(5);
    for (let t = 0; t < bars.runs.length; t++) {
      for (let v = 0; v < 10; v++) noisy.betas[t * 40 + v]! += 3 * random.normal();
    }
    const scoreWith = async (varianceShrinkage: number) => {
      using decoder = await fit(
        { ...PLAIN, threshold: 0, varianceShrinkage, noiseCorrelation: 0 },
        trainingOf(noisy, training),
      );
      return score(noisy, held, await decoder.predict(betasOf(noisy, held)));
    };
    expect(await scoreWith(0)).toBeGreaterThan((await scoreWith(1)) + 0.01);
  });
});

/** Solves `apply(x) = b` for a symmetric positive definite map. */
function conjugateGradients(
  apply: (x: Float64Array) => Float64Array,
  b: Float64Array,
  steps: number,
): Float64Array {
  const dot = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  const x = new Float64Array(b.length);
  let r = Float64Array.from(b);
  let p = Float64Array.from(b);
  let rr = dot(r, r);
  for (let i = 0; i < steps && rr > 1e-18 * dot(b, b); i++) {
    const ap = apply(p);
    const alpha = rr / dot(p, ap);
    for (let j = 0; j < x.length; j++) x[j]! += alpha * p[j]!;
    r = r.map((value, j) => value - alpha * ap[j]!);
    const next = dot(r, r);
    p = r.map((value, j) => value + (next / rr) * p[j]!);
    rr = next;
  }
  return x;
}

describe('borders', () => {
  it('nothing of the held-out sweep reaches the fit, whatever its volumes and frames are', async () => {
    const random = createRandom(3);
    const other = { ...bars, betas: Float32Array.from(bars.betas), frames: Float32Array.from(bars.frames) };
    for (const row of held) {
      for (let v = 0; v < 40; v++) other.betas[row * 40 + v] = random.normal();
      for (let p = 0; p < 48; p++) other.frames[row * 48 + p] = random.uniform();
    }
    const [a, b] = [await fit(), await fit(PLAIN, trainingOf(other, training))];
    expect(b.toBundle().tensors).toEqual(a.toBundle().tensors);
    for (const decoder of [a, b]) decoder.dispose();
  });

  it('volumes that still respond to held-out frames are left out of the fit', async () => {
    const { tr } = bars;
    const after = training.find((row) => row > held.at(-1)!)!;
    const inside = training.filter((row) => row >= after && row < after + Math.ceil(12 / tr - 0.5));
    const changed = { ...bars, betas: Float32Array.from(bars.betas) };
    for (const row of inside) for (let v = 0; v < 40; v++) changed.betas[row * 40 + v]! += 100;
    const [a, b] = [await fit(), await fit(PLAIN, trainingOf(changed, training))];
    expect(inside.length).toBe(9);
    expect(a.model.report.fittedOn).toBe(training.length - inside.length);
    expect(b.toBundle().tensors).toEqual(a.toBundle().tensors);
    // The next volume is fitted on.
    for (let v = 0; v < 40; v++) changed.betas[(inside.at(-1)! + 1) * 40 + v]! += 0.1;
    const c = await fit(PLAIN, trainingOf(changed, training));
    expect(c.toBundle().tensors).not.toEqual(a.toBundle().tensors);
    for (const decoder of [a, b, c]) decoder.dispose();
  });

  it('they do not reach the choices either: the bundle is the same, bit by bit', async () => {
    const { tr } = bars;
    const after = training.find((row) => row > held.at(-1)!)!;
    const random = createRandom(4);
    const changed = { ...bars, betas: Float32Array.from(bars.betas) };
    for (let row = after; row < after + Math.ceil(12 / tr - 0.5); row++) {
      for (let v = 0; v < 40; v++) changed.betas[row * 40 + v] = 50 + 30 * random.normal();
    }
    const options = {
      ...PLAIN,
      hrf: 'fitted',
      ridge: [0.03, 0.1, 0.3],
      refinements: 0,
      iterations: 12,
    } as const;
    const hashes: string[] = [];
    for (const subject of [bars, changed]) {
      using decoder = await fit(options, trainingOf(subject, training));
      hashes.push(await saveBundle(decoder, async () => {}));
    }
    expect(hashes[1]).toBe(hashes[0]);
  });

  it('a block is decoded from its own volumes alone, whole, whichever of its trials are asked for', async () => {
    using decoder = await fit();
    const alone = await decoder.predict(betasOf(bars, held));
    const all = bars.runs.map((_, row) => row);
    const runs = bars.runs;
    const together = await decoder.predict(betasOf(bars, all), { runs });
    const size = 48;
    const from = held[0]! * size;
    expect([...together.subarray(from, from + alone.length)]).toEqual([...alone]);
    const wanted = [held[12]!, held[3]!, 0];
    const seen: number[] = [];
    for await (const { trial, image } of decoder.reconstruct(betasOf(bars, all), { runs, trials: wanted })) {
      seen.push(trial);
      expect([...image!.data]).toEqual([...together.subarray(trial * size, (trial + 1) * size)]);
    }
    expect(seen).toEqual(wanted);
  });
});

describe('choices', () => {
  it('takes the regularisation that reconstructs held-out sweeps best, and says how', async () => {
    const options = { ...PLAIN, ridge: [1e4, 0.1, 1e5], refinements: 0, iterations: 30 };
    const phases = new Set<string>();
    const decoder = await RetinotopicDecoder.fit(trainingOf(bars, training, { sawTest: 'no' }), options, {
      backend,
      onProgress: ({ phase }) => phases.add(phase),
    });
    expect(decoder.model.config.ridge).toBe(0.1);
    expect([...phases]).toEqual(['response', 'regularisation', 'receptive fields']);
    const { ledger, report } = decoder.model;
    expect(report).toMatchObject({ crossValidation: { score: 'frame correlation' }, voxels: 40 });
    expect(ledger.map(({ step }) => step)).toEqual([
      'receptive fields (gaussian), amplitudes and baselines',
      'choice of 40 voxels',
      'noise covariance',
      'regularisation of the inversion',
    ]);
    for (const { runs, sawTest } of ledger) {
      expect(runs).toEqual(['sweep-1', 'sweep-3', 'sweep-4']);
      expect(sawTest).toBe('no');
    }
    decoder.dispose();
  });

  it('recordings with baselines of their own are decoded as well as others', async () => {
    // Each run is a recording; all voxels are shifted together by up to four times the deviation of a voxel.
    const wide = simulateBars({ seed: 16 });
    const shifts = new Map([...new Set(wide.runs)].map((run, i) => [run, 4 * [0, 1, -1, 0.5][i]!]));
    const shifted = {
      ...wide,
      betas: wide.betas.map((value, i) => value + shifts.get(wide.runs[Math.floor(i / wide.voxels)]!)!),
    };
    const [known, unseen] = [rowsOf(wide, (run) => run !== HELD), rowsOf(wide, (run) => run === HELD)];
    const options = {
      ...PLAIN,
      hrf: 'canonical',
      smoothTime: 1,
      smoothSpace: 2,
      refinements: 0,
      iterations: 40,
    } as const;
    const decode = async (subject: SimulatedBars, more: RetinotopicDecoderOptions = {}) => {
      const data = trainingOf(subject, known, { volumes: undefined });
      using decoder = await fit({ ...options, ...more }, data);
      const found = await decoder.predict(betasOf(subject, unseen));
      return { score: score(subject, unseen, found), model: decoder.model };
    };
    const [plain, offset] = [await decode(wide), await decode(shifted)];
    expect(plain.model.config.blockDrift).toBe(-1);
    expect(offset.model.config.blockDrift).toBe(0);
    expect(offset.model.report).toMatchObject({
      crossValidation: { blockDrift: { grid: { blockDrift: [-1, 0] } } },
    });
    expect(offset.score).toBeGreaterThan(plain.score - 0.1);
    expect((await decode(shifted, { blockDrift: -1 })).score).toBeLessThan(plain.score - 0.1);
    // One recording has one baseline: nothing is compared.
    using one = await fit(options);
    expect(one.model.config.blockDrift).toBe(-1);
    expect(one.model.report.crossValidation).toBeUndefined();
  });

  it('says when nothing can be read from the voxels', async () => {
    const scores: number[] = [];
    const options = { ...PLAIN, threshold: 0.1, smoothTime: [0.3, 1, 3], refinements: 0, iterations: 30 };
    for (const seed of [21, 22, 23, 24]) {
      const blind = simulateBars({ height: 6, width: 8, voxels: 40, noise: 1, seed, blind: true });
      using decoder = await fit(options, trainingOf(blind, training));
      const { meanScore } = decoder.model.report.crossValidation as { meanScore: number };
      scores.push(meanScore);
      const warned = decoder.warnings.some((text) =>
        /nothing was reconstructed better than chance/.test(text),
      );
      expect(warned).toBe(meanScore < 0.05);
    }
    // Half of what is noise alone lies below, or the warning were none.
    expect(scores.filter((value) => value < 0.05).length).toBeGreaterThanOrEqual(2);
    using seeing = await fit(options);
    expect(seeing.warnings).toEqual([]);
  });

  it('the score of lucky folds is not that of all frames', () => {
    const scores = { table: [Float64Array.of(0.3, 0.1), Float64Array.of(-0.1, 0.05)], frames: [10, 30] };
    expect(frameScores(scores)[0]).toBeCloseTo(0, 12);
    expect(frameScores(scores)[1]).toBeCloseTo(0.0625, 12);
    expect(meanScores(scores)[0]).toBeGreaterThan(0.2);
    expect(frameScores({ table: [Float64Array.of(0)], frames: [0] })).toEqual([0]);
  });

  it('finds the response function', async () => {
    using decoder = await fit({ ...PLAIN, hrf: 'fitted', refinements: 0, iterations: 30 });
    const { hrf } = decoder.model.config;
    expect(Math.abs(hrf.peak - 5)).toBeLessThan(0.7);
    expect(decoder.model.ledger[0]!.step).toBe('haemodynamic response');
    const { times, values } = decoder.hrf;
    expect(times).toHaveLength(values.length);
    expect(Math.abs(times[values.indexOf(Math.max(...values))]! - hrf.peak)).toBeLessThan(0.11);
  });
});

describe('receptive fields', () => {
  it('are where the voxels look, in pixels or in degrees', async () => {
    using pixels = await fit({ ...PLAIN, refinements: 8 });
    const fields = pixels.receptiveFields();
    expect(fields).toMatchObject({ unit: 'pixels', extent: { left: 0, right: 8, top: 0, bottom: 6 } });
    expect(hasReceptiveFields(pixels)).toBe(true);
    const misses = Array.from(fields.voxel, (v, i) =>
      Math.hypot(fields.x[i]! - bars.truth.x[v]!, fields.y[i]! - bars.truth.y[v]!),
    ).sort((a, b) => a - b);
    expect(misses[Math.floor(misses.length / 2)]).toBeLessThan(0.5);
    const visualField = { left: -8, right: 8, top: 6, bottom: -6 };
    using degrees = await fit({ ...PLAIN, refinements: 8 }, trainingOf(bars, training, { visualField }));
    const other = degrees.receptiveFields();
    expect(other).toMatchObject({ unit: 'degrees', extent: visualField });
    expect([...other.voxel]).toEqual([...fields.voxel]);
    other.x.forEach((x, i) => {
      expect(Math.abs(x - (2 * fields.x[i]! - 8))).toBeLessThan(0.05);
      expect(Math.abs(other.y[i]! - (6 - 2 * fields.y[i]!))).toBeLessThan(0.05);
    });
  });
});

describe('bundles', () => {
  it('give the same pictures, hold no training data, and are the same bytes again', async () => {
    const fitted = await fit(PLAIN, trainingOf(bars, training, { input: { selection: 'V1' } }));
    const expected = await fitted.predict(betasOf(bars, held));
    const save = async () => {
      const files = new Map<string, Uint8Array>();
      const hash = await saveBundle(fitted, async (path, bytes) => void files.set(path, bytes));
      return { files, hash };
    };
    const { files, hash } = await save();
    expect((await save()).hash).toBe(hash);
    const contents = fitted.toBundle();
    expect(contents).toMatchObject({ containsTrainingData: false, input: { repetitionTime: bars.tr } });
    // Nothing in it has the length of the training series.
    expect(contents.tensors.every(({ shape }) => !shape.includes(training.length))).toBe(true);
    const opened = await openBundle(memoryFolder(files, 'bundle'), { backend });
    expect(await opened.predict(betasOf(bars, held))).toEqual(expected);
    expect(opened.toBundle()).toEqual(contents);
    expect(hasReceptiveFields(opened) && opened.receptiveFields()).toEqual(fitted.receptiveFields());
    for (const decoder of [fitted, opened]) decoder.dispose();
  });

  it('damaged contents are refused by name', async () => {
    const fitted = await fit();
    const contents = fitted.toBundle();
    fitted.dispose();
    const open = (changed: Partial<typeof contents>) => () =>
      RetinotopicDecoder.fromBundle({ ...contents, ...changed }, 'b/model.json', backend);
    const without = (name: string) => contents.tensors.filter((tensor) => tensor.name !== name);
    expect(open({ tensors: without('gram') })).toThrow(
      /tensors\.gram: .*expected f32 \[48, 48\], found none/,
    );
    expect(open({ config: { ...contents.config, ridge: -1 } })).toThrow(/config\.ridge/);
    expect(open({ containsTrainingData: true })).toThrow(/containsTrainingData/);
    expect(open({ input: { voxels: 40 } })).toThrow(/input\.repetitionTime/);
    expect(open({ input: { voxels: 10, repetitionTime: 1 } })).toThrow(/tensors\.voxel: .*0 to 9/);
    const gram = contents.tensors.find(({ name }) => name === 'gram')!;
    const broken = { ...gram, data: Float32Array.from(gram.data as Float32Array).fill(Number.NaN, 5, 6) };
    expect(open({ tensors: [...without('gram'), broken as typeof gram] })).toThrow(/NaN at element 5/);
    const kernel = contents.tensors.find(({ name }) => name === 'kernel')!;
    const withKernel = (data: Float64Array) =>
      open({ tensors: [...without('kernel'), { ...kernel, data, shape: [data.length] } as typeof kernel] });
    const { length } = kernel.data;
    expect(withKernel(new Float64Array(20_000).fill(1e-5))).toThrow(
      /tensors\.kernel: .*expected at most 48 volumes \(60 s\), found 20000/,
    );
    expect(withKernel(new Float64Array(length))).toThrow(/tensors\.kernel: .*found 0$/);
    expect(withKernel(new Float64Array(length).fill(1e300))).toThrow(/tensors\.kernel: .*found 1e\+300/);
    const withGram = (change: (value: number, i: number) => number) => {
      const data = Float32Array.from(gram.data as Float32Array, change);
      return open({ tensors: [...without('gram'), { ...gram, data } as typeof gram] });
    };
    expect(withGram((value) => value)).not.toThrow();
    expect(withGram((value) => -value)).toThrow(/tensors\.gram: .*a diagonal of 0 or more/);
    expect(withGram(() => 0)).toThrow(/tensors\.gram: /);
    expect(withGram((value) => value * 1e30)).toThrow(/tensors\.gram: /);
    expect(withGram((value, i) => (i === 1 ? 2 * value + 1 : value))).toThrow(
      /tensors\.gram: not a symmetric/,
    );
    expect(withGram((value, i) => (i % 49 === 0 ? value : 1e3 * value))).toThrow(
      /tensors\.gram: .*at most for pixels/,
    );
  });

  it('pictures are finite, or there is an error', async () => {
    using decoder = await fit({ ...PLAIN, refinements: 0, iterations: 5 });
    const betas = betasOf(bars, held);
    betas.data.fill(3e38);
    await expect(decoder.predict(betas)).rejects.toThrow(/betas: the inversion overflows/);
  });
});

describe('bad input', () => {
  const data = trainingOf(bars, training);
  const cases: [string, Partial<RetinotopicTrainingData>, RetinotopicDecoderOptions, RegExp][] = [
    ['a NaN', { voxels: withNaN(data.voxels.data, 41) }, {}, /voxels: .*1 of 40 voxels \(1\)/],
    [
      'frames of another number',
      { targets: { data: new Float32Array(96), shape: [2, 6, 8] } },
      {},
      /targets: one picture for each volume/,
    ],
    ['no TR', { repetitionTime: 0 }, {}, /repetitionTime: .*found 0/],
    [
      'colour',
      { targets: { data: new Float32Array(training.length * 48), shape: [training.length, 4, 4, 3] } },
      {},
      /grey pictures/,
    ],
    [
      'blank frames',
      { targets: { data: new Float32Array(training.length * 48), shape: [training.length, 6, 8] } },
      {},
      /all pictures are one grey/,
    ],
    ['labels that do not match', { runs: ['a'] }, {}, /runs: one for each volume; expected 110, found 1/],
    ['a volume twice', { volumes: training.map(() => 3) }, {}, /volumes: two rows are one volume/],
    ['an impossible extent', { visualField: { left: 1, right: 1, top: 0, bottom: 1 } }, {}, /visualField: /],
    ['an unknown model', {}, { prf: 'square' as never }, /prf: .*expected gaussian, css, dog, found square/],
    ['an impossible share', {}, { noiseCorrelation: [0, 1] }, /noiseCorrelation: .*found 1/],
    [
      'a misspelt option',
      {},
      { noiseCorelation: 0.1 } as never,
      /noiseCorelation: .*expected one of .*noiseCorrelation.*, found noiseCorelation/,
    ],
    ['a list of words', {}, { smoothTime: 'much' as never }, /smoothTime: .*found much/],
    ['a penalty in words', {}, { ridge: ['1'] as never }, /ridge: .*found 1/],
    ['no response at all', {}, { hrf: null as never }, /hrf: .*found null/],
    ['half a degree', {}, { blockDrift: [0, 0.5] }, /blockDrift: .*whole number from -1 to 5, found 0.5/],
    ['nothing to choose from', {}, { ridge: [] }, /ridge: .*at least one value/],
    ['a response that is none', {}, { hrf: { ...HRF, width: 0 } }, /hrf\.width: /],
    [
      'a threshold that no voxel reaches',
      {},
      { threshold: 0.9999 },
      /threshold: no voxel follows the stimulus/,
    ],
    [
      'a guard that leaves nothing',
      { volumes: training.map((row) => row + 200) },
      { guardSeconds: 120 },
      /guardSeconds: .*outside the guard/,
    ],
  ];

  it.each(cases)('%s is an error that names it', async (_, change, options, message) => {
    const run = RetinotopicDecoder.fit(
      { ...data, ...change },
      { ...PLAIN, refinements: 0, ...options },
      { backend },
    );
    await expect(run).rejects.toThrow(message);
  });

  it('betas that do not fit, and a decoder that is gone', async () => {
    const decoder = await fit({ ...PLAIN, refinements: 0 });
    const narrow = { data: new Float32Array(39), shape: [1, 39] };
    await expect(decoder.predict(narrow)).rejects.toThrow(/betas: .*expected 40, found 39/);
    const good = betasOf(bars, held);
    await expect(decoder.predict(good, { runs: ['a'] })).rejects.toThrow(/runs: one run label/);
    const bad = { ...good, data: withNaN(good.data, 45).data };
    await expect(decoder.predict(bad)).rejects.toThrow(/betas hold NaN.*voxel 5 in trial 1/);
    await expect(decoder.reconstruct(good, { trials: [999] }).next()).rejects.toThrow(/no such trial/);
    decoder.dispose();
    await expect(decoder.predict(good)).rejects.toMatchObject({ code: 'DISPOSED' });
  });

  function withNaN(values: Float32Array | Float64Array, at: number) {
    const copy = Float32Array.from(values);
    copy[at] = Number.NaN;
    return { data: copy, shape: [copy.length / 40, 40] };
  }
});

describe('cancellation', () => {
  it.each([0, 1, 2])('frees everything, in phase %i', async (phase) => {
    const controller = new AbortController();
    const seen: string[] = [];
    const run = RetinotopicDecoder.fit(
      trainingOf(bars, training),
      { ...PLAIN, ridge: [0.1, 1, 2], refinements: 2, iterations: 20 },
      {
        backend,
        signal: controller.signal,
        onProgress: (progress) => {
          if (!seen.includes(progress.phase)) seen.push(progress.phase);
          if (seen.length > phase) controller.abort();
        },
      },
    );
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED' } satisfies Partial<F2iError>);
    expect(backend.stats().liveTensors).toBe(0);
  });

  it('ends a prediction', async () => {
    const decoder = await fit({ ...PLAIN, refinements: 0 });
    const controller = new AbortController();
    const run = decoder.predict(betasOf(bars, held), { signal: controller.signal });
    controller.abort();
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
    decoder.dispose();
  });
});

it('the settings of a model are those of its bundle', async () => {
  const decoder = await fit({ ...PLAIN, refinements: 0, blockDrift: 1, bounds: 'range' });
  const config = decoder.toBundle().config as unknown as RetinotopicConfig;
  expect(config).toMatchObject({ prf: 'gaussian', hrf: HRF, blockDrift: 1, bounds: 'range', ridge: 0.1 });
  decoder.dispose();
});
