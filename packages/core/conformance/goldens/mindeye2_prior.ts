import { Prior } from '../../src/diffusion/prior.ts';
import { relativePositionBuckets } from '../../src/nn/tables.ts';
import { add, mul } from '../../src/ops/elementwise.ts';
import { relativePositionBias } from '../../src/ops/relative_position_bias.ts';
import type { Tensor } from '../../src/tensor.ts';
import { mindeyePrior } from '../../src/weights/schemas/index.ts';
import { type Adapter, upload } from './adapter.ts';
import type { GoldenCase } from './case.ts';
import { goldenNetwork, Results } from './network.ts';

const BIAS = 'causal_transformer.rel_pos_bias.relative_attention_bias.weight';

/**
 * What the prior's network predicts: `out.pred.t50`, `out.pred.mixed_t` (a timestep for each item), `out.null_brain.t50`
 * and its like (conditions left out), `out.cond_scale_1p5.t50` (guidance), `out.causal.t50`; and values on the way.
 */
export const mindeye2Prior: Adapter = {
  prefix: 'mindeye2_prior',
  async run(golden, backend) {
    const { network } = await goldenNetwork(golden, backend, mindeyePrior);
    const published = await Prior.open(network);
    const causal = await Prior.open(network, { causal: true });
    const image = await upload(golden, backend, 'in.image_embed');
    const brain = await upload(golden, backend, 'in.brain_embed');
    const shapes = await shapesOf(golden);
    const batch = image.shape[0]!;
    const results = new Results();

    for (const name of golden.names.filter((each) => each.startsWith('out.'))) {
      const [, variant = '', when = ''] = name.split('.');
      const timesteps =
        when === 'mixed_t' ? [...(await golden.read('in.mixed_t')).data] : [Number(when.slice(1))];
      // Values on the way; the last layer computes fewer rows than the original's.
      const observe = (what: string, value: Tensor) => {
        const seen = `mid.${when}.${what}`;
        if (variant === 'pred' && shapes.get(seen) === value.shape.join()) results.add(seen, value);
      };
      const prior = variant === 'causal' ? causal : published;
      const value = backend.scope(() => {
        const time = prior.embedTime(timesteps);
        const predict = (withBrain: boolean, withImage: boolean) =>
          prior.predict(
            prior.condition(withBrain ? brain : prior.nullBrain(batch)),
            withImage ? image : prior.nullImage(batch),
            time,
            { observe },
          );
        const guidance = guidanceOf(variant);
        if (guidance === undefined) {
          return predict(!/^null_(brain|both)$/.test(variant), !/^null_(image|both)$/.test(variant));
        }
        return add(mul(predict(true, true), guidance), mul(predict(false, false), 1 - guidance));
      });
      results.add(name, value);
    }

    const table = network.tensor(BIAS);
    const count = 2 * published.tokens + 1;
    const bias = relativePositionBias(
      table,
      relativePositionBuckets(count, count + 1, { buckets: table.shape[0]! }),
    );
    for (const name of shapes.keys()) if (name.endsWith('.rel_pos_bias')) results.add(name, bias);
    return results.all();
  },
};

/** `cond_scale_1p5`: 1.5. */
function guidanceOf(variant: string): number | undefined {
  const scale = /^cond_scale_(\d+(?:p\d+)?)$/.exec(variant)?.[1];
  return scale === undefined ? undefined : Number(scale.replace('p', '.'));
}

async function shapesOf(golden: GoldenCase): Promise<Map<string, string>> {
  const shapes = new Map<string, string>();
  for (const name of golden.names.filter((each) => each.startsWith('mid.'))) {
    shapes.set(name, (await golden.read(name)).shape.join());
  }
  return shapes;
}
