import type { Backend } from '../../src/backend.ts';
import {
  fitRidge,
  interceptOf,
  renormalise,
  rowStatistics,
  targetsInMemory,
} from '../../src/decoders/ridge/index.ts';
import { hasFloat64 } from '../../src/float64.ts';
import { columnStats, gemm, mul, standardize } from '../../src/ops/index.ts';
import type { Tensor } from '../../src/tensor.ts';
import { type Adapter, hyperNumber, type Produced } from './adapter.ts';
import type { GoldenCase } from './case.ts';

/** NSD stores betas as integers, 300 times the percent signal change. */
const BETA_SCALE = 300;

/**
 * The regressions of Brain-Diffuser (Ozcelik and VanRullen 2023): betas / 300, z-scored with the training mean and
 * standard deviation (ddof 1), ridge with an intercept to VDVAE latents and to CLIP tokens, predictions renormalised from
 * themselves. One fit gives all tokens, which the original fits one by one.
 */
export const brainDiffuser: Adapter = {
  prefix: 'brain_diffuser',
  unsupported(backend) {
    return hasFloat64(backend) ? undefined : 'these cases need float64, which this device lacks';
  },
  async run(golden, backend) {
    const voxels = await standardisedVoxels(golden, backend);
    const results = new Map<string, Produced>();
    for (const [name, targets] of [
      ['vdvae', 'in.train_latents'],
      ['clipvision', 'in.train_clip'],
    ] as const) {
      if (!golden.has(targets)) continue;
      const alpha = hyperNumber(golden, `alpha_${name}`);
      for (const [leaf, value] of await regression(golden, targets, alpha, voxels)) {
        results.set(`out.${name}_${leaf}`, value);
      }
    }
    return results;
  },
};

interface Voxels {
  readonly train: Tensor;
  readonly test: Tensor;
}

async function standardisedVoxels(golden: GoldenCase, backend: Backend): Promise<Voxels> {
  const [train, test] = await Promise.all(
    ['in.train_fmri', 'in.test_fmri'].map(async (name) => {
      const { data, shape } = await golden.read(name);
      return mul(backend.tensor(data, shape, 'f64'), 1 / BETA_SCALE);
    }),
  );
  const { mean, std } = columnStats(train!, { ddof: 1 });
  return { train: standardize(train!, { mean, std }), test: standardize(test!, { mean, std }) };
}

async function regression(
  golden: GoldenCase,
  targets: string,
  alpha: number,
  { train, test }: Voxels,
): Promise<[string, Produced][]> {
  const { backend } = train;
  const { data, shape } = await golden.read(targets);
  const [n = 0, ...output] = shape;
  const [m, p] = test.shape as [number, number];
  const t = data.length / n;
  const fit = await fitRidge(train, targetsInMemory(data, n), { alpha, precision: 'f64' });
  const intercept = interceptOf(fit);
  const weights = Float64Array.from(fit.values);
  const [predicted] = await backend.compute(() => [
    gemm(test, backend.tensor(weights, [p, t], 'f64'), { bias: backend.tensor(intercept, [t], 'f64') }),
  ]);
  const predictions = { data: Float64Array.from(predicted as Float64Array), shape: [m, ...output] };
  const { rows } = renormalise(predictions, {
    by: 'test-predictions',
    targets: rowStatistics({ data, shape }),
  });
  const perTarget = Float64Array.from({ length: t * p }, (_, i) => weights[(i % p) * t + Math.floor(i / p)]!);
  return [
    ['pred', { shape: rows.shape, data: Float64Array.from(rows.data) }],
    ['weight', { shape: [...output, p], data: perTarget }],
    ['bias', { shape: output, data: intercept }],
  ];
}
