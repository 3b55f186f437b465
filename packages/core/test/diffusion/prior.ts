import {
  type Arithmetic,
  type Backend,
  createRandom,
  expectedWeights,
  mindeyePrior,
  ResidentNetwork,
  type Tensor,
} from '../../src/index.ts';
import { rotaryFrequencies } from '../../src/nn/tables.ts';

export const TINY_PRIOR = {
  extents: new Map(
    Object.entries({
      ...{ tokens: 3, clip: 12, heads: 2, headDim: 6, rotary: 2, inner: 20, timeInner: 14, buckets: 8 },
    }),
  ),
  counts: new Map([['layer', 2]]),
  groups: new Set<string>(),
};

/** Random numbers as a prior: matrices keep variances, gains lie about 1. */
export function tinyPrior(
  backend: Backend,
  { arithmetic = 'f32', scale = 1 }: { arithmetic?: Arithmetic; scale?: number } = {},
): ResidentNetwork {
  const random = createRandom(7);
  const shards = new Map<string, Tensor[]>();
  for (const { name, shape } of expectedWeights(mindeyePrior, TINY_PRIOR)) {
    const size = shape.reduce((product, extent) => product * extent, 1);
    const [spread, centre] = name.endsWith('.g') ? [0.1, 1] : [1 / Math.sqrt(shape.at(-1)!), 0];
    const factor = /to_out\.0\.weight$/.test(name) ? scale : 1;
    const values = Float32Array.from(random.normals(size), (x) => factor * (centre + spread * x));
    const data = name.endsWith('freqs') ? rotaryFrequencies(2 * size) : values;
    shards.set(name, [backend.tensor(data, shape)]);
  }
  return new ResidentNetwork(backend, shards, arithmetic);
}

export function normals(backend: Backend, shape: number[], seed: number): Tensor {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return backend.tensor(Float32Array.from(createRandom(seed).normals(size)), shape);
}
