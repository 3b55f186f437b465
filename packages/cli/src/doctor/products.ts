import {
  attention,
  type Backend,
  createRandom,
  gemm,
  gram,
  type HostArray,
  linear,
  type Shape,
  type Tensor,
} from '@fmri2image/core';

/** Work of one kind: what real decoders do most of the time, at sizes at which each device takes the kernels meant for it. */
interface Work {
  readonly what: string;
  /** Of f32, but for the second one, where `weights` names its type: then all are whole numbers of one digit. */
  readonly operands: readonly Shape[];
  readonly weights?: 'bf16';
  readonly compute: (operands: readonly Tensor[]) => Tensor;
  /** Largest error that rounding explains, relative to the largest entry. */
  readonly tolerance: number;
}

/** How right and how fast a device was. */
export interface Checked {
  readonly what: string;
  /** Largest error relative to the largest entry, against float64. */
  readonly error: number;
  readonly ok: boolean;
  /** Of the second time, from the first op to the result on the device. */
  readonly milliseconds: number;
}

/** What every device can do in a moment. */
export const SMALL: Work = {
  what: 'a small product',
  operands: [
    [37, 53],
    [53, 29],
  ],
  compute: ([a, b]) => gemm(a!, b!),
  tolerance: 1e-5,
};

/**
 * Work as ridge regression and MindEye have it, large enough for tensor cores and for Hopper's own kernels.
 *
 * @param scale of the extents: less than 1 for devices that are slow
 */
export function realWork(scale = 1): Work[] {
  const size = (extent: number) => Math.max(8, Math.ceil(extent * scale));
  const [trials, voxels, targets] = [size(768), size(1536), size(2048)];
  const [rows, width] = [size(640), size(1024)];
  const [tokens, heads] = [size(257), 8];
  return [
    {
      what: 'ridge, equations',
      operands: [[trials, voxels]],
      compute: ([x]) => gram(x!),
      tolerance: 1e-5,
    },
    {
      what: 'ridge, targets',
      operands: [
        [trials, trials],
        [trials, targets],
      ],
      compute: ([hat, y]) => gemm(hat!, y!),
      tolerance: 1e-5,
    },
    {
      what: 'MindEye, layers',
      operands: [[rows, width], [width, width], [width]],
      compute: ([x, weight, bias]) => linear(x!, weight!, { bias: bias!, activation: 'gelu_erf' }),
      tolerance: 1e-5,
    },
    {
      what: 'MindEye, one trial',
      operands: [
        [1, voxels],
        [targets, voxels],
      ],
      compute: ([x, weight]) => linear(x!, weight!),
      tolerance: 1e-5,
    },
    {
      what: 'MindEye, attention',
      operands: Array.from({ length: 3 }, () => [1, heads, tokens, 64]),
      compute: ([q, k, v]) => attention(q!, k!, v!),
      tolerance: 1e-5,
    },
    {
      what: 'MindEye, weights of bf16',
      operands: [
        [rows, width],
        [width, width],
      ],
      weights: 'bf16',
      compute: ([x, weight]) => linear(x!, weight!),
      tolerance: 0, // sums of whole numbers of one digit are exact
    },
  ];
}

/** A work with its operands and its result, which all devices share. */
interface Prepared {
  readonly work: Work;
  readonly values: readonly Float64Array[];
  readonly expected: HostArray;
}

/** @param exact computes the results, in float64 */
export async function prepareWork(exact: Backend, works: readonly Work[]): Promise<Prepared[]> {
  const prepared: Prepared[] = [];
  for (const work of works) {
    const values = work.operands.map((shape, i) => valuesOf(work, shape, i + 1));
    prepared.push({ work, values, expected: await exactResult(exact, work, values) });
  }
  return prepared;
}

/** Computes each work twice: compares, and tells how long the second time took. Rejects where the device fails. */
export async function checkWork(backend: Backend, prepared: readonly Prepared[]): Promise<Checked[]> {
  const results: Checked[] = [];
  for (const { work, values, expected } of prepared) {
    const { result, milliseconds } = await timed(backend, work, values);
    const error = relativeError(result, expected);
    results.push({ what: work.what, error, ok: error <= work.tolerance, milliseconds });
  }
  return results;
}

function valuesOf({ weights }: Work, shape: Shape, seed: number): Float64Array {
  const normals = createRandom(seed).normals(shape.reduce((product, extent) => product * extent, 1));
  const digit = (value: number) => Math.max(-7, Math.min(7, Math.round(3 * value)));
  return normals.map(weights ? digit : Math.fround);
}

async function exactResult(backend: Backend, work: Work, values: readonly Float64Array[]) {
  const operands = uploaded(backend, work, values, true);
  const result = work.compute(operands);
  try {
    return await result.download();
  } finally {
    for (const tensor of [...operands, result]) tensor.dispose();
  }
}

async function timed(
  backend: Backend,
  work: Work,
  values: readonly Float64Array[],
): Promise<{ result: HostArray; milliseconds: number }> {
  const operands = uploaded(backend, work, values, false);
  try {
    work.compute(operands).dispose(); // the first time, devices prepare what they need
    await backend.sync();
    const begun = performance.now();
    const result = work.compute(operands);
    await backend.sync();
    const milliseconds = performance.now() - begun;
    const found = await result.download();
    result.dispose();
    return { result: found, milliseconds };
  } finally {
    for (const tensor of operands) tensor.dispose();
  }
}

function uploaded(
  backend: Backend,
  { operands, weights }: Work,
  values: readonly Float64Array[],
  exact: boolean,
): Tensor[] {
  return operands.map((shape, i) => {
    if (exact) return backend.tensor(values[i]!, shape);
    // Plain numbers are converted; arrays have a type of their own.
    if (weights && i === 1) return backend.tensor([...values[i]!], shape, weights);
    return backend.tensor(Float32Array.from(values[i]!), shape);
  });
}

function relativeError(found: HostArray, expected: HostArray): number {
  let [largest, worst] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    worst = Math.max(worst, Math.abs(found[i]! - expected[i]!));
  }
  return worst / largest;
}
