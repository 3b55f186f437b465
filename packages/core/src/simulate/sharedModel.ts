import type { Backend } from '../backend.ts';
import { type Affine, affineOf } from '../decoders/ridge/affine.ts';
import { fitRidgeModel } from '../decoders/ridge/fitDecoder.ts';
import { columnStats, eigh, gemm, gram, type OpOptions, sub } from '../ops/index.ts';
import type { Rows } from '../rows.ts';

/** Trials of one subject and what was shown in each. */
export interface SharedModelSubject {
  /** [trials, voxels] */
  readonly betas: Rows;
  /** [trials, features] */
  readonly targets: Rows;
}

/** A linear model with a layer for each subject (voxels to latents) and one that all share (latents to features). */
export interface SharedModel {
  /** Latents. */
  readonly h: number;
  readonly layers: readonly Affine[];
  readonly backbone: Affine;
}

/**
 * Trains such a model in closed form. Ridge from each subject's voxels to the features; the latents are the `h` principal
 * components of what these predict, the directions of the features that brains tell about (reduced-rank regression,
 * Izenman 1975, doi:10.1016/0047-259X(75)90042-1); the shared layer is a ridge from latents to features. Stands in for a
 * published model where a simulation needs one that knows something.
 */
export async function trainSharedModel(
  subjects: readonly SharedModelSubject[],
  h: number,
  backend: Backend,
  { signal }: OpOptions = {},
): Promise<SharedModel> {
  const context = { backend, signal };
  const fit = (voxels: Rows, targets: Rows) =>
    fitRidgeModel({ voxels, targets, sawTest: 'no' }, { perTarget: false, storage: 'primal' }, context);
  const maps: Affine[] = [];
  for (const { betas, targets } of subjects) maps.push(await affineOf(await fit(betas, targets), signal));
  const predicted: Float32Array[] = [];
  for (const [s, map] of maps.entries()) predicted.push(await apply(map, subjects[s]!.betas, backend));
  const directions = await principalDirections(stacked(predicted), maps[0]!.bias.length, h, backend);
  const layers = await Promise.all(maps.map((map) => through(directions, map, h, backend)));
  const latents: Float32Array[] = [];
  for (const [s, layer] of layers.entries()) latents.push(await apply(layer, subjects[s]!.betas, backend));
  const all = stacked(latents);
  const targets = stacked(subjects.map(({ targets: { data } }) => Float32Array.from(data)));
  const rows = all.length / h;
  const backbone = await fit(
    { data: all, shape: [rows, h] },
    { data: targets, shape: [rows, targets.length / rows] },
  );
  return { h, layers, backbone: await affineOf(backbone, signal) };
}

/** y of all rows: [trials, outputs]. */
async function apply(
  { weight, bias }: Affine,
  { data, shape }: Rows,
  backend: Backend,
): Promise<Float32Array> {
  const [trials = 0, inputs = 0] = shape;
  const [y] = await backend.compute(() => {
    const x = backend.tensor(Float32Array.from(data), [trials, inputs]);
    const w = backend.tensor(weight, [bias.length, inputs]);
    return [gemm(x, w, { transB: true, bias: backend.tensor(bias, [bias.length]) })];
  });
  return y as Float32Array;
}

/** The directions of largest variance of the rows, [h, features]. */
async function principalDirections(
  rows: Float32Array,
  features: number,
  h: number,
  backend: Backend,
): Promise<Float32Array> {
  const [vectors] = await backend.compute(() => {
    const x = backend.tensor(rows, [rows.length / features, features]);
    return [eigh(gram(sub(x, columnStats(x).mean), { of: 'columns' })).vectors];
  });
  const columns = vectors as Float32Array;
  // Eigenvalues ascend: the last columns belong to the largest.
  return Float32Array.from({ length: h * features }, (_, i) => {
    const [j, f] = [Math.floor(i / features), i % features];
    return columns[f * features + features - 1 - j]!;
  });
}

/** The map to the features, seen along some of their directions. */
async function through(directions: Float32Array, { weight, bias }: Affine, h: number, backend: Backend) {
  const features = bias.length;
  const [w, b] = await backend.compute(() => {
    const d = backend.tensor(directions, [h, features]);
    return [
      gemm(d, backend.tensor(weight, [features, weight.length / features])),
      gemm(backend.tensor(bias, [1, features]), d, { transB: true }),
    ];
  });
  return { weight: w as Float32Array, bias: b as Float32Array };
}

function stacked(pieces: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
