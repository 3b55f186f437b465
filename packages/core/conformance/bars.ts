import { createRandom, type Random } from '../src/index.ts';

/** A moving bar seen by voxels with known receptive fields: plain loops, no code of the decoder. */
export interface SimulatedBars {
  readonly height: number;
  readonly width: number;
  readonly tr: number;
  /** [volumes, height, width] */
  readonly frames: Float32Array;
  /** [volumes, voxels] */
  readonly betas: Float32Array;
  /** Sweep of each volume; one recording. */
  readonly runs: string[];
  readonly voxels: number;
  readonly truth: { x: Float64Array; y: Float64Array; size: Float64Array; amplitude: Float64Array };
}

export interface SimulateBarsOptions {
  height?: number;
  width?: number;
  tr?: number;
  voxels?: number;
  /** Standard deviation of the noise, relative to that of the signal. */
  noise?: number;
  seed?: number;
  /** Exponent of compressive summation. */
  exponent?: number;
  /** Noise alone, no response to the stimulus. */
  blind?: boolean;
}

export function simulateBars(options: SimulateBarsOptions = {}): SimulatedBars {
  const { height = 9, width = 12, tr = 1.3, voxels = 60, noise = 0.5, seed = 1 } = options;
  const random = createRandom(seed);
  const { frames, runs } = barFrames(height, width);
  const volumes = runs.length;
  const draw = (from: number, to: number) =>
    Float64Array.from({ length: voxels }, () => from + (to - from) * random.uniform());
  const truth = { x: draw(1, width - 1), y: draw(1, height - 1), size: draw(0.8, 2), amplitude: draw(1, 4) };
  const kernel = responseToFrame(tr);
  const betas = new Float32Array(volumes * voxels);
  for (let v = 0; v < voxels; v++) {
    const field = gaussianField(truth.x[v]!, truth.y[v]!, truth.size[v]!, height, width);
    const drive = Float64Array.from({ length: volumes }, (_, t) => {
      const overlap = field.reduce((sum, weight, p) => sum + weight * frames[t * field.length + p]!, 0);
      return overlap ** (options.exponent ?? 1);
    });
    const signal = Float64Array.from({ length: volumes }, (_, t) =>
      kernel.reduce((sum, weight, k) => sum + (t >= k ? weight * drive[t - k]! : 0), 0),
    );
    const deviation = standardDeviation(signal) * truth.amplitude[v]!;
    const own = smoothNoise(random, volumes);
    for (let t = 0; t < volumes; t++) {
      const response = options.blind ? 0 : truth.amplitude[v]! * signal[t]!;
      betas[t * voxels + v] = 50 + response + noise * deviation * own[t]!;
    }
  }
  return { height, width, tr, frames, betas, runs, voxels, truth };
}

/** A bar that goes right, down, left and up, with pauses, in small steps; a sweep is a run. */
export function barFrames(height: number, width: number): { frames: Float32Array; runs: string[] } {
  const frames: number[] = [];
  const runs: string[] = [];
  const pause = 9;
  const thick = 2;
  for (const [sweep, { along, back }] of [
    { along: 'x', back: false },
    { along: 'y', back: false },
    { along: 'x', back: true },
    { along: 'y', back: true },
  ].entries()) {
    const extent = along === 'x' ? width : height;
    const steps = 2 * (extent + thick);
    for (let i = -pause; i < steps + pause; i++) {
      const at = (back ? steps - 1 - i : i) / 2 - thick;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const from = along === 'x' ? x : y;
          const covered = Math.min(from + 1, at + thick) - Math.max(from, at);
          frames.push(i < 0 || i >= steps ? 0 : Math.max(0, Math.min(1, covered)));
        }
      }
      runs.push(`sweep-${sweep + 1}`);
    }
  }
  return { frames: Float32Array.from(frames), runs };
}

/** Areas of a Gaussian of volume 1 over pixels, by sums over 20 x 20 points in each. */
export function gaussianField(x: number, y: number, size: number, height: number, width: number) {
  const fine = 20;
  return Float64Array.from({ length: height * width }, (_, p) => {
    let sum = 0;
    for (let i = 0; i < fine * fine; i++) {
      const dx = (p % width) + ((i % fine) + 0.5) / fine - x;
      const dy = Math.floor(p / width) + (Math.floor(i / fine) + 0.5) / fine - y;
      sum += Math.exp(-(dx * dx + dy * dy) / (2 * size * size));
    }
    return sum / (fine * fine * 2 * Math.PI * size * size);
  });
}

/** t⁵ exp(-t) / 5! (mean 6 s) integrated numerically over frames, seen from the middle of each volume. */
export function responseToFrame(tr: number): Float64Array {
  const density = (t: number) => (t > 0 ? (t ** 5 * Math.exp(-t)) / 120 : 0);
  const pieces = 2000;
  return Float64Array.from({ length: Math.ceil(25 / tr) }, (_, k) => {
    let sum = 0;
    for (let i = 0; i < pieces; i++) sum += density((k - 0.5 + (i + 0.5) / pieces) * tr);
    return (sum * tr) / pieces;
  });
}

function smoothNoise(random: Random, length: number): Float64Array {
  const values = random.normals(length);
  for (let t = 1; t < length; t++) values[t] = 0.3 * values[t - 1]! + Math.sqrt(1 - 0.09) * values[t]!;
  return values;
}

function standardDeviation(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
