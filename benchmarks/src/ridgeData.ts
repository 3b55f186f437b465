import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { createRandom, type Design, encodeNpy, type MatrixSource, matrixDesign } from '@fmri2image/core';

/** The sizes of a regression from voxels to tokens of features. */
export interface RidgeSize {
  readonly train: number;
  readonly test: number;
  readonly voxels: number;
  readonly tokens: number;
  /** Values of a token. */
  readonly width: number;
}

/** Simulated responses and features, float32, row-major. */
export interface RidgeData {
  readonly size: RidgeSize;
  /** Values of a row of y. */
  readonly targets: number;
  /** [train + test, voxels]; given away while a ridge reads it */
  x: Float32Array;
  /** [train, targets]; given away while a ridge reads it */
  y: Float32Array;
}

/** Dimensions that responses and features share. */
const SHARED = 40;

/** Voxels and targets that share a few dimensions, each with noise of its own and a mean: an intercept matters. */
export function simulateRidge(size: RidgeSize, seed: number): RidgeData {
  const random = createRandom(seed);
  const { train, test, voxels } = size;
  const targets = size.tokens * size.width;
  const latent = Float32Array.from(random.normals((train + test) * SHARED));
  const x = new Float32Array((train + test) * voxels);
  x.set(seen(latent.subarray(0, train * SHARED), train, voxels, seed + 1));
  x.set(seen(latent.subarray(train * SHARED), test, voxels, seed + 1, seed + 2), train * voxels);
  const y = seen(latent.subarray(0, train * SHARED), train, targets, seed + 3);
  return { size, targets, x, y };
}

/** rows of noise + latent * loadings + mean; the loadings are the same for the same seed. */
function seen(
  latent: Float32Array,
  rows: number,
  columns: number,
  seed: number,
  noiseSeed = seed + 10,
): Float32Array {
  const mixing = createRandom(seed);
  const mean = mixing.normals(columns);
  const loadings = mixing.normals(SHARED * columns);
  const noise = createRandom(noiseSeed);
  const values = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const row = values.subarray(i * columns, (i + 1) * columns);
    row.set(noise.normals(columns));
    for (let j = 0; j < columns; j++) row[j]! += mean[j]!;
    for (let d = 0; d < SHARED; d++) {
      const weight = latent[i * SHARED + d]! / Math.sqrt(SHARED);
      const loading = loadings.subarray(d * columns, (d + 1) * columns);
      for (let j = 0; j < columns; j++) row[j]! += weight * loading[j]!;
    }
  }
  return values;
}

/** Responses of the training rows [train, voxels], and of the test rows [test, voxels]. */
export function responsesOf({ size: { train, voxels }, x }: RidgeData): {
  train: Float32Array;
  test: Float32Array;
} {
  return { train: x.subarray(0, train * voxels), test: x.subarray(train * voxels) };
}

/** The voxels as a design: the first rows of a source are trained on. */
export function designOf({ size: { train, test } }: RidgeData, source: MatrixSource): Design {
  const rows = Int32Array.from({ length: train + test }, (_, i) => i);
  return matrixDesign(source, { train: rows.subarray(0, train), test: rows.subarray(train) });
}

/** Writes the data where a peer can load them, for as long as `use` takes. */
export async function withFiles<T>(data: RidgeData, use: (folder: string) => Promise<T>): Promise<T> {
  const { size, targets, y } = data;
  const { train, test } = responsesOf(data);
  const folder = mkdtempSync(join(os.tmpdir(), 'f2i-ridge-'));
  try {
    const write = (name: string, data: Float32Array, shape: number[]) =>
      writeFileSync(join(folder, `${name}.npy`), encodeNpy({ dtype: 'f32', shape, data }));
    write('x', train, [size.train, size.voxels]);
    write('y', y, [size.train, targets]);
    write('test', test, [size.test, size.voxels]);
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
