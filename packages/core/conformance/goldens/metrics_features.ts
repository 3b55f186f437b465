import {
  brainCorrelation,
  correlationDistance,
  correlationMatrix,
  cosineSimilarity,
  mindeyeTwoWay,
  nsdImageryTwoWay,
  numpyDraws,
  type Rows,
  retrieval,
} from '../../src/index.ts';
import { assert } from '../assert.ts';
import type { Adapter, Produced } from './adapter.ts';
import type { GoldenCase, GoldenTensor } from './case.ts';

/** Counts are exact, and shares of them with them: the next possible share is further off than any tolerance. */
const exact = () => 0;

const list = (values: ArrayLike<number>, atol?: () => number): Produced => ({
  shape: [values.length],
  data: Float64Array.from(values),
  atol,
});

const mean = (values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

/** All products on the device, however small. */
export const metricsFeatures: Adapter = {
  prefix: 'metrics_features',
  async run(golden, backend) {
    const options = { backend, deviceWork: 0 };
    const results = new Map<string, Produced>();
    const real = rows(await golden.read('in.real_features'));
    const recon = rows(await golden.read('in.recon_features'));
    const correlations = await correlationMatrix(real, recon, options);
    const { counts, score } = mindeyeTwoWay(correlations);
    const square = [counts.length, counts.length];
    results.set('out.two_way_counts', list(counts, exact));
    results.set('out.two_way', list([score]));
    results.set('out.two_way_pearson', { shape: square, data: correlations.values });
    results.set('out.batchwise_pearson', { shape: square, data: correlations.values });
    results.set('out.nsd_imagery_style_two_way', list([nsdImageryTwoWay(correlations)]));
    // The original's helper returns its cosines transposed: rows are its second operand.
    const cosines = await cosineSimilarity(recon, real, options);
    results.set('out.batchwise_cosine', { shape: square, data: cosines.values });
    const distance = correlationDistance(real, recon);
    results.set('out.correlation_distance', list(distance));
    results.set('out.correlation_distance_mean', list([mean(distance)]));
    const fit = brainCorrelation(
      rows(await golden.read('in.measured_betas')),
      rows(await golden.read('in.predicted_betas')),
      (await golden.read('in.region_mask')).data,
    );
    results.set('out.brain_corr_per_image', list(fit));
    results.set('out.brain_corr_mean', list([mean(fit)]));
    for (const [name, value] of await retrieved(golden, options)) results.set(name, value);
    return results;
  },
};

async function retrieved(golden: GoldenCase, options: object): Promise<Map<string, Produced>> {
  const brain = rows(await golden.read('in.brain_embeds'));
  const image = rows(await golden.read('in.image_embeds'));
  const draws = await drawn(golden, image.shape[0]!);
  const results = new Map<string, Produced>();
  const { imageToBrain, brainToImage } = await retrieval(brain, image, { ...options, draws });
  for (const [name, { published }] of [
    ['fwd', imageToBrain],
    ['bwd', brainToImage],
  ] as const) {
    results.set(`out.${name}_per_draw`, list(published.perDraw));
    results.set(`out.${name}_mean_ci`, list([published.mean, ...published.interval!]));
  }
  const [first] = draws;
  const five = await retrieval(brain, image, { ...options, draws: [first!], k: 5 });
  results.set(
    'out.top5_draw0_fwd_bwd',
    list([five.imageToBrain.published.mean, five.brainToImage.published.mean]),
  );
  const name = golden.names.find((each) => /^out\.fwd_sim_draw0_rows\d+$/.test(each));
  if (name) {
    const count = Number(/\d+$/.exec(name)![0]);
    const { values, brains } = await cosineSimilarity(image, brain, options);
    const data = Array.from(first!.subarray(0, count)).flatMap((row) =>
      Array.from(first!, (column) => values[row * brains + column]!),
    );
    results.set(name, { shape: [count, first!.length], data: Float64Array.from(data) });
  }
  return results;
}

/** The recorded pools; where the sidecar says that numpy drew them from a seed, ours from it must be the same. */
async function drawn({ read, sidecar }: GoldenCase, trials: number): Promise<Int32Array[]> {
  const { shape, data } = await read('in.retrieval_draws');
  const [draws = 0, pool = 0] = shape;
  const given = Array.from({ length: draws }, (_, d) =>
    Int32Array.from(data.subarray(d * pool, (d + 1) * pool)),
  );
  const seed = /np\.random\.seed\((\d+)\)/.exec(String(sidecar.hyper.seed))?.[1];
  if (seed !== undefined) {
    const ours = numpyDraws(Number(seed), trials, pool, draws);
    const same = ours.every((draw, d) => draw.every((trial, i) => trial === given[d]![i]));
    assert(same, `in.retrieval_draws are not what seed ${seed} draws`);
  }
  return given;
}

const rows = ({ data, shape }: GoldenTensor): Rows => ({ data, shape });
