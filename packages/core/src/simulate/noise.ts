import type { Random } from '../random.ts';
import type { Subject } from './subject.ts';

/** Number of latent fluctuations that voxels share. */
const SOURCES = 10;
/** Part of the noise variance that is shared. */
export const SHARED = 0.3;
/** Correlation of successive volumes. */
const AUTOREGRESSION = 0.35;
/** Standard deviation of the slow drift relative to that of the noise. */
const DRIFT = 1.2;

/**
 * How noise is shared between voxels: unit-length rows [voxels, SOURCES]. Voxels whose receptive fields are near
 * each other share more (as neighbours in retinotopic cortex do); the last source is global.
 */
export function noiseLoadings(subject: Subject, random: Random): Float64Array {
  const loadings = new Float64Array(subject.voxels * SOURCES);
  const reach = subject.degrees / 4;
  for (let s = 0; s < SOURCES; s++) {
    const x = (random.uniform() - 0.5) * subject.degrees;
    const y = (random.uniform() - 0.5) * subject.degrees;
    for (let v = 0; v < subject.voxels; v++) {
      const distance = (subject.x[v]! - x) ** 2 + (subject.y[v]! - y) ** 2;
      loadings[v * SOURCES + s] = s === SOURCES - 1 ? 0.6 : Math.exp(-distance / (2 * reach ** 2));
    }
  }
  for (let v = 0; v < subject.voxels; v++) {
    const row = loadings.subarray(v * SOURCES, (v + 1) * SOURCES);
    const length = Math.hypot(...row);
    for (let s = 0; s < SOURCES; s++) row[s]! /= length;
  }
  return loadings;
}

/**
 * Noise of one run [volumes, voxels]: first-order autoregressive, partly shared, of unit variance; plus a drift of
 * a line and slow cosines for each voxel.
 */
export function drawNoise(volumes: number, loadings: Float64Array, random: Random): Float64Array {
  const voxels = loadings.length / SOURCES;
  const noise = new Float64Array(volumes * voxels);
  const innovation = Math.sqrt(1 - AUTOREGRESSION ** 2);
  const step = (previous: number, first: boolean) =>
    first ? random.normal() : AUTOREGRESSION * previous + innovation * random.normal();
  const sources = new Float64Array(volumes * SOURCES);
  for (let t = 0; t < volumes; t++) {
    for (let s = 0; s < SOURCES; s++) {
      sources[t * SOURCES + s] = step(sources[(t - 1) * SOURCES + s] ?? 0, t === 0);
    }
  }
  const own = new Float64Array(voxels);
  for (let t = 0; t < volumes; t++) {
    for (let v = 0; v < voxels; v++) {
      own[v] = step(own[v]!, t === 0);
      let shared = 0;
      for (let s = 0; s < SOURCES; s++) shared += loadings[v * SOURCES + s]! * sources[t * SOURCES + s]!;
      noise[t * voxels + v] = Math.sqrt(1 - SHARED) * own[v]! + Math.sqrt(SHARED) * shared;
    }
  }
  for (let v = 0; v < voxels; v++) {
    const weights = [random.normal(), random.normal(), random.normal()] as const;
    for (let t = 0; t < volumes; t++) {
      const phase = (Math.PI * (t + 0.5)) / volumes;
      const drift =
        weights[0] * (t / volumes - 0.5) * 2 +
        weights[1] * Math.cos(phase) +
        weights[2] * Math.cos(2 * phase);
      noise[t * voxels + v]! += DRIFT * 0.6 * drift;
    }
  }
  return noise;
}

/** Covariance [voxels, voxels] of the noise of one volume without drift, given each voxel's standard deviation. */
export function noiseCovariance(loadings: Float64Array, deviation: Float64Array): Float64Array {
  const voxels = deviation.length;
  const covariance = new Float64Array(voxels * voxels);
  for (let v = 0; v < voxels; v++) {
    for (let w = 0; w <= v; w++) {
      let shared = 0;
      for (let s = 0; s < SOURCES; s++) shared += loadings[v * SOURCES + s]! * loadings[w * SOURCES + s]!;
      const value = deviation[v]! * deviation[w]! * (SHARED * shared + (v === w ? 1 - SHARED : 0));
      covariance[v * voxels + w] = value;
      covariance[w * voxels + v] = value;
    }
  }
  return covariance;
}
