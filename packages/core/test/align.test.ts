import { describe, expect, test } from 'vitest';
import { stimulusFolds } from '../src/decoders/align/stimulusFolds.ts';
import {
  averageByStimulus,
  createRandom,
  fitSubjectLayer,
  latentsFromFeatures,
  ReferenceBackend,
  ResidentNetwork,
  sharedLatents,
  subjectLatents,
} from '../src/index.ts';

const random = createRandom(4);
const normals = (rows: number, cols: number) => ({
  data: Float32Array.from(random.normals(rows * cols)),
  shape: [rows, cols],
});

/** w x + b of each row. */
function affine(x: { data: Float32Array; shape: readonly number[] }, w: Float32Array, b: Float32Array) {
  const [rows = 0, cols = 0] = x.shape;
  const data = new Float32Array(rows * b.length);
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < b.length; j++) {
      let sum = b[j]!;
      for (let c = 0; c < cols; c++) sum += w[j * cols + c]! * x.data[r * cols + c]!;
      data[r * b.length + j] = sum;
    }
  }
  return { data, shape: [rows, b.length] };
}

function teacherNetwork(backend: ReferenceBackend, layers: readonly { w: Float32Array; b: Float32Array }[]) {
  return new ResidentNetwork(
    backend,
    new Map(
      layers.flatMap(({ w, b }, s) => [
        [`ridge.linears.${s}.weight`, [backend.tensor(w, [b.length, w.length / b.length])]] as const,
        [`ridge.linears.${s}.bias`, [backend.tensor(b, [b.length])]] as const,
      ]),
    ),
  );
}

describe('alignment of a new subject', () => {
  test('finds the layer that generated the latents, betas unstandardised and with a constant voxel', async () => {
    const backend = new ReferenceBackend();
    const [trials, voxels, h] = [60, 7, 3];
    const betas = normals(trials, voxels);
    for (let t = 0; t < trials; t++) {
      for (let v = 0; v < voxels; v++)
        betas.data[t * voxels + v] = 3 * v + (v + 1) * betas.data[t * voxels + v]!;
      betas.data[t * voxels + 4] = 11;
    }
    const w = normals(h, voxels).data;
    for (let j = 0; j < h; j++) w[j * voxels + 4] = 0;
    const b = Float32Array.from([0.5, -2, 4]);
    const stimuli = Array.from({ length: trials }, (_, t) => `picture-${t}`);
    const targets = averageByStimulus(affine(betas, w, b), stimuli, 'latents');
    const layer = await fitSubjectLayer({ betas, stimuli }, targets, { alphas: 1e-6 }, { backend });
    const error = (a: Float32Array, e: Float32Array) => Math.max(...a.map((x, i) => Math.abs(x - e[i]!)));
    expect(error(layer.weight, w)).toBeLessThan(1e-4);
    expect(error(layer.bias, b)).toBeLessThan(2e-3);
    expect(layer.trials).toEqual({ used: 60, all: 60, stimuli: 60 });
    // One penalty leaves nothing to choose; over a grid, what is linear is explained where it was left out, too.
    expect(layer.report.explained).toBeUndefined();
    const chosen = await fitSubjectLayer({ betas, stimuli }, targets, { alphas: [1e-6, 1e3] }, { backend });
    expect(chosen.report.explained).toBeGreaterThan(0.999);
    const shuffled = new Map(
      [...targets.keys()].map((name, i) => [name, targets.get(`picture-${(i * 7) % 60}`)!]),
    );
    const noise = await fitSubjectLayer({ betas, stimuli }, shuffled, { alphas: [1e-6, 1] }, { backend });
    expect(noise.report.explained).toBeLessThan(0.3);
    expect(backend.stats().liveTensors).toBe(0);
  });

  test('leaves out trials whose stimulus has no place, and says how many', async () => {
    const backend = new ReferenceBackend();
    const betas = normals(12, 3);
    const stimuli = Array.from({ length: 12 }, (_, t) => `s${t % 6}`);
    const targets = new Map(['s0', 's1', 's2', 's9'].map((name) => [name, normals(1, 2).data] as const));
    const layer = await fitSubjectLayer({ betas, stimuli }, targets, { alphas: 1 }, { backend });
    expect(layer.trials).toEqual({ used: 6, all: 12, stimuli: 3 });
    const none = new Map([['elsewhere', normals(1, 2).data]]);
    await expect(fitSubjectLayer({ betas, stimuli }, none, {}, { backend })).rejects.toThrow(
      /too few stimuli of the new subject.*0 of 6/s,
    );
  });

  test('targets: the mean over repeats within a subject, then over subjects', async () => {
    const backend = new ReferenceBackend();
    const identity = { w: Float32Array.from([1, 0, 0, 1]), b: Float32Array.from([0, 0]) };
    const shifted = { w: Float32Array.from([2, 0, 0, 2]), b: Float32Array.from([1, 1]) };
    const network = teacherNetwork(backend, [identity, shifted]);
    const rows = (...values: number[]) => ({
      data: Float32Array.from(values),
      shape: [values.length / 2, 2],
    });
    const latents = await sharedLatents(network, [
      { subject: 0, betas: rows(1, 2, 3, 4, 10, 10), stimuli: ['a', 'a', 'b'] },
      { subject: 1, betas: rows(0, 1), stimuli: ['a'] },
    ]);
    // a: subject 0 has (2, 3), subject 1 has (1, 3); their mean does not count trials.
    expect([...latents.get('a')!]).toEqual([1.5, 3]);
    expect([...latents.get('b')!]).toEqual([10, 10]);
    network.dispose();
    expect(backend.stats().liveTensors).toBe(0);
  });

  test('features tell the latents of stimuli that nobody saw', async () => {
    const backend = new ReferenceBackend();
    const network = teacherNetwork(backend, []);
    const features = normals(40, 4);
    const w = normals(3, 4).data;
    const names = Array.from({ length: 40 }, (_, i) => `s${i}`);
    const truth = averageByStimulus(affine(features, w, Float32Array.from([1, 2, 3])), names, 'latents');
    const seen = new Map([...truth].slice(0, 30));
    const found = await latentsFromFeatures(seen, averageByStimulus(features, names, 'features'), network);
    expect(found.size).toBe(40);
    const error = (name: string) =>
      Math.max(...found.get(name)!.map((x, i) => Math.abs(x - truth.get(name)![i]!)));
    // The penalty is chosen from a grid whose smallest value shrinks by about a thousandth.
    for (const name of ['s0', 's31', 's39']) expect(error(name)).toBeLessThan(0.05);
    await expect(latentsFromFeatures(seen, new Map(), network)).rejects.toThrow(/0 of 30/);
  });

  test('repeats of a stimulus fall into one fold', () => {
    expect(stimulusFolds(['a', 'b', 'a', 'c', 'd', 'e', 'f', 'b'])).toEqual([0, 1, 0, 2, 3, 4, 0, 1]);
  });

  test('a subject or voxels that the model does not know are refused', async () => {
    const backend = new ReferenceBackend();
    const network = teacherNetwork(backend, [{ w: new Float32Array(6), b: new Float32Array(2) }]);
    await expect(subjectLatents(network, 3, normals(2, 3))).rejects.toThrow(
      /no layer of this subject.*expected 0.*found 3/s,
    );
    await expect(subjectLatents(network, 0, normals(2, 4))).rejects.toThrow(
      /subject 0 .*expected 3.*found 4/s,
    );
    network.dispose();
  });
});
