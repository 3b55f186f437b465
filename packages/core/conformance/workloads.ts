/** Parts of MindEye2 at its published size with random weights, ready to run: for benchmarks. */
import type { Backend } from '../src/backend.ts';
import { backboneTokens, mix, toSharedSpace } from '../src/decoders/mindeye2/network.ts';
import { Prior } from '../src/diffusion/prior.ts';
import { drawPrior } from '../src/diffusion/sample.ts';
import { loadNetwork } from '../src/nn/loadNetwork.ts';
import type { Tensor } from '../src/tensor.ts';
import { matchWeights } from '../src/weights/match.ts';
import type { WeightType } from '../src/weights/round.ts';
import type { WeightSchema } from '../src/weights/schema.ts';
import { mindeye2, mindeyePrior } from '../src/weights/schemas/index.ts';
import { MINDEYE2_PUBLISHED, randomModel } from './models.ts';

/** A computation whose weights are on the device. */
export interface Workload {
  /** Shape of what it is given. */
  readonly input: readonly number[];
  /** The caller's to dispose. */
  run(input: Tensor): Promise<Tensor>;
}

const of = (symbol: string) => MINDEYE2_PUBLISHED.extents.get(symbol)!;

async function randomNetwork(
  schema: WeightSchema,
  backend: Backend,
  precision: WeightType,
  wanted?: (name: string) => boolean,
) {
  const source = randomModel(schema, { ...MINDEYE2_PUBLISHED, groups: new Set() }, { dtype: 'bf16' });
  return loadNetwork(source, matchWeights(source, schema), backend, { precision, ...(wanted && { wanted }) });
}

/** One sample of the prior for one trial: 19 evaluations of six layers of 513 tokens. */
export async function priorSample(backend: Backend, precision: WeightType): Promise<Workload> {
  const prior = await Prior.open(await randomNetwork(mindeyePrior, backend, precision));
  return { input: [1, of('tokens'), of('clip')], run: (brain) => drawPrior(prior, brain) };
}

/** Voxels of one trial's three repeats to the tokens that the prior is given. */
export async function voxelsToTokens(backend: Backend, precision: WeightType): Promise<Workload> {
  const needed = /^(ridge\.|backbone\.backbone_linear)/;
  const network = await randomNetwork(mindeye2, backend, precision, (name) => needed.test(name));
  const backbone = network.under('backbone.');
  return {
    input: [3, 1, of('voxels[0]')],
    run: async (voxels) =>
      backend.scope(() => {
        // A mixer of one position adds a constant, whatever it is.
        const hidden = mix(backbone, toSharedSpace(network, 0, voxels), 0.1);
        return backboneTokens(backbone, hidden, [of('tokens'), of('clip')]);
      }),
  };
}
