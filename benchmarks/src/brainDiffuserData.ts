import { closeSync, openSync, readSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  add,
  type Backend,
  cast,
  createRandom,
  type DType,
  gemm,
  npyHeader,
  randomNormal,
  readNpyHeader,
} from '@fmri2image/core';
import { CpuBackend, fileSource } from '@fmri2image/node';

/** The sizes of Brain-Diffuser's regression from subject 1's voxels to CLIP-vision (Ozcelik and VanRullen 2023). */
export interface Problem {
  readonly train: number;
  readonly test: number;
  readonly voxels: number;
  readonly tokens: number;
  readonly width: number;
}

export const PUBLISHED: Problem = { train: 8859, test: 982, voxels: 15724, tokens: 257, width: 768 };

/** Both files of voxels, float32, and the targets in half precision. */
export const FILES = { train: 'train.npy', test: 'test.npy', targets: 'targets.npy' } as const;

const SHARED = 40;
/** Rows that are drawn at once. */
const ROWS = 64;

export function targetsOf({ tokens, width }: Problem): number {
  return tokens * width;
}

/** Bytes of the inputs. */
export function inputBytes(problem: Problem): number {
  const { train, test, voxels } = problem;
  return 4 * (train + test) * voxels + 2 * train * targetsOf(problem);
}

/** @throws if the folder's disk has no room for so many bytes */
export function checkDisk(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < bytes) {
    throw new Error(
      `${folder}: ${(bytes / 1e9).toFixed(1)} GB are needed, ${((bavail * bsize) / 1e9).toFixed(1)} are free`,
    );
  }
}

/** Simulated inputs: rows and targets share a few dimensions, each has noise of its own. Written block by block. */
export async function writeInputs(folder: string, problem: Problem, seed: number): Promise<void> {
  const { train, test, voxels, tokens, width } = problem;
  const backend = new CpuBackend();
  const random = createRandom(seed);
  const latent = Float32Array.from(random.normals((train + test) * SHARED), (z) => z / Math.sqrt(SHARED));
  const loadings = (columns: number) => Float32Array.from(random.normals(SHARED * columns));
  const ofVoxels = loadings(voxels);
  const ofTargets = loadings(targetsOf(problem));
  const trained = latent.subarray(0, train * SHARED);
  const write = (
    name: string,
    rows: Float32Array,
    shape: number[],
    mixing: Float32Array,
    dtype: DType,
    n: number,
  ) => writeRows(backend, join(folder, name), rows, shape, mixing, dtype, seed + n);
  await write(FILES.train, trained, [train, voxels], ofVoxels, 'f32', 1);
  await write(FILES.test, latent.subarray(train * SHARED), [test, voxels], ofVoxels, 'f32', 2);
  await write(FILES.targets, trained, [train, tokens, width], ofTargets, 'f16', 3);
  await backend.dispose();
}

/** latent * loadings + noise, as an npy file. */
async function writeRows(
  backend: Backend,
  path: string,
  latent: Float32Array,
  shape: number[],
  loadings: Float32Array,
  dtype: DType,
  seed: number,
): Promise<void> {
  const [rows = 0] = shape;
  const columns = loadings.length / SHARED;
  const file = openSync(path, 'wx');
  const mixing = backend.tensor(loadings, [SHARED, columns]);
  try {
    writeSync(file, npyHeader(dtype as 'f16', shape));
    for (let from = 0; from < rows; from += ROWS) {
      const count = Math.min(ROWS, rows - from);
      const [values] = await backend.compute(() => {
        const signal = backend.tensor(latent.slice(from * SHARED, (from + count) * SHARED), [count, SHARED]);
        const noise = randomNormal(backend, [count, columns], { seed, offset: from * columns });
        const sum = add(gemm(signal, mixing), noise);
        return [dtype === 'f32' ? sum : cast(sum, dtype)];
      });
      const bytes = new Uint8Array(values!.buffer, values!.byteOffset, values!.byteLength);
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    }
  } finally {
    mixing.dispose();
    closeSync(file);
  }
}

/** Weights of some targets, [train, picked], out of an npy array of f32 with a row for each target. */
export async function readWeights(
  path: string,
  targets: readonly number[],
  train: number,
): Promise<Float32Array> {
  const { dataOffset } = await headerOf(path);
  const picked = new Float32Array(train * targets.length);
  const row = new Float32Array(train);
  const file = openSync(path, 'r');
  try {
    for (const [j, target] of targets.entries()) {
      readSync(file, row, 0, row.byteLength, dataOffset + target * row.byteLength);
      for (let i = 0; i < train; i++) picked[i * targets.length + j] = row[i]!;
    }
  } finally {
    closeSync(file);
  }
  return picked;
}

/** A whole npy matrix of f32. */
export async function readAll(path: string): Promise<Float32Array> {
  const { dataOffset, byteLength } = await headerOf(path);
  const bytes = new Uint8Array(byteLength);
  const file = openSync(path, 'r');
  try {
    for (let at = 0; at < byteLength; ) {
      at += readSync(file, bytes, at, Math.min(byteLength - at, 2 ** 28), dataOffset + at);
    }
  } finally {
    closeSync(file);
  }
  return new Float32Array(bytes.buffer);
}

/** Some columns of an npy matrix of f32 or f16, as float32 [rows, columns.length]: read number by number. */
export async function readColumns(path: string, columns: readonly number[]): Promise<Float32Array> {
  const { dtype, shape, dataOffset } = await headerOf(path);
  const [rows = 0, ...own] = shape;
  const width = own.reduce((product, extent) => product * extent, 1);
  const size = dtype === 'f16' ? 2 : 4;
  const picked = new Float32Array(rows * columns.length);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const file = openSync(path, 'r');
  try {
    for (let i = 0; i < rows; i++) {
      for (const [j, column] of columns.entries()) {
        readSync(file, bytes, 0, size, dataOffset + (i * width + column) * size);
        picked[i * columns.length + j] =
          size === 4 ? view.getFloat32(0, true) : half(view.getUint16(0, true));
      }
    }
  } finally {
    closeSync(file);
  }
  return picked;
}

async function headerOf(path: string) {
  const source = await fileSource(path);
  return readNpyHeader(source);
}

/** IEEE 754 binary16. */
function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -magnitude : magnitude;
}
