import {
  createRandom,
  encodeElements,
  F2iError,
  type FileContent,
  hdf5Pieces,
  npyHeader,
  type Random,
  type Rows,
} from '@fmri2image/core';

/** A file of targets that is to be simulated: `vision.npy=257x768`. */
export interface FeatureRequest {
  /** File name: `vision.npy` or `vision.hdf5`. */
  readonly file: string;
  /** Of one picture. */
  readonly shape: readonly number[];
}

/** @throws USAGE */
export function featureRequest(text: string): FeatureRequest {
  const found = /^([\w.-]+\.(?:npy|hdf5|h5))=(\d+(?:x\d+)*)$/.exec(text);
  const shape = (found?.[2] ?? '0').split('x').map(Number);
  if (found && shape.every((extent) => extent > 0)) return { file: found[1]!, shape };
  throw new F2iError('USAGE', 'no file of features that can be simulated', {
    field: '--features',
    expected: 'NAME.npy=SHAPE or NAME.hdf5=SHAPE, such as vision.npy=257x768',
    found: text,
  });
}

/** Features that a target sums linearly, and those whose sum it sees through a squashing nonlinearity. */
const LINEAR = 4;
const SQUASHED = 3;
const NONLINEAR = 0.6;
/** Deviation of what pictures have and no brain tells. */
const UNSEEN = 0.5;
/** Targets have means and spreads of their own, as latents and embeddings do. */
const MEAN = 2;

/**
 * Targets of pictures: for each value of the shape a linear and a squashed sum of some visual features, what no brain tells,
 * and a mean and spread of its own. Rows are the pictures in ascending order of their numbers.
 *
 * @param features [pictures, features] of mean 0 and variance 1 over pictures
 * @param numbers of the pictures
 * @param onProgress hears the share (0..1) that is made
 */
export function simulatedFeatures(
  { file, shape }: FeatureRequest,
  { data, shape: [pictures = 0, width = 0] }: Rows,
  numbers: readonly number[],
  seed: number,
  onProgress: (share: number) => void = () => undefined,
): FileContent {
  const count = shape.reduce((product, extent) => product * extent, 1);
  // Of the file's name, so that two files are two sets of targets.
  const random = createRandom(
    seed * 1000 + ([...file].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 2 ** 31),
  );
  const mix = drawMix(count, width, random);
  const order = numbers.map((_, picture) => picture).sort((a, b) => numbers[a]! - numbers[b]!);
  const full = [pictures, ...shape];
  function* rows(): Generator<Float32Array, void, void> {
    const step = Math.ceil(order.length / 100);
    for (const [done, picture] of order.entries()) {
      if (done % step === 0) onProgress(done / order.length);
      yield row(data, picture * width, mix, random);
    }
  }
  if (!file.endsWith('.npy')) return hdf5Pieces({ name: 'features', dtype: 'f32', shape: full }, rows());
  function* pieces() {
    yield npyHeader('f32', full);
    for (const values of rows()) yield encodeElements(values);
  }
  return pieces();
}

interface Mix {
  readonly which: Int32Array;
  readonly weights: Float32Array;
  readonly mean: Float32Array;
  readonly spread: Float32Array;
}

function drawMix(count: number, features: number, random: Random): Mix {
  const terms = LINEAR + SQUASHED;
  const which = Int32Array.from({ length: count * terms }, () => random.integer(features));
  const weights = Float32Array.from({ length: count * terms }, (_, i) => {
    const share = i % terms < LINEAR ? LINEAR : SQUASHED;
    return random.normal() / Math.sqrt(share);
  });
  return {
    which,
    weights,
    mean: Float32Array.from({ length: count }, () => MEAN * random.normal()),
    spread: Float32Array.from({ length: count }, () => Math.exp(0.5 * random.normal())),
  };
}

function row(
  data: ArrayLike<number>,
  at: number,
  { which, weights, mean, spread }: Mix,
  random: Random,
): Float32Array {
  const terms = LINEAR + SQUASHED;
  return Float32Array.from(mean, (middle, target) => {
    let [linear, squashed] = [0, 0];
    for (let i = target * terms; i < target * terms + LINEAR; i++)
      linear += weights[i]! * data[at + which[i]!]!;
    for (let i = target * terms + LINEAR; i < (target + 1) * terms; i++)
      squashed += weights[i]! * data[at + which[i]!]!;
    const value = linear + NONLINEAR * Math.tanh(2 * squashed) + UNSEEN * random.normal();
    return middle + spread[target]! * value;
  });
}
