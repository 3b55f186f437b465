import { blurryLatent, blurryMaps, blurryNorm } from '../../src/decoders/mindeye2/network.ts';
import type { Tensor } from '../../src/tensor.ts';
import { mindeye2Blurry as schema } from '../../src/weights/schemas/index.ts';
import { type Adapter, type Produced, upload } from './adapter.ts';
import { goldenNetwork, Results } from './network.ts';

/** The blurry branch after its first linear layer, at its published size. */
export const mindeye2Blurry: Adapter = {
  prefix: 'mindeye2_blurry',
  async run(golden, backend) {
    const { network } = await goldenNetwork(golden, backend, schema);
    const results = new Results();
    const observe = (name: string, value: Tensor) => results.add(name, value);
    const normed = blurryNorm(network, await upload(golden, backend, 'in.blin1_output'), { observe });
    results.add('out.blurry_latent', blurryLatent(network, normed, { observe }));
    results.add('out.blurry_maps', blurryMaps(network, normed));
    const all = await results.all();
    network.dispose();
    for (const [name, value] of [...all]) {
      const block = /^bupsampler\.up_blocks\.(\d)$/.exec(name)?.[1];
      if (block) all.set(`mid.bupsampler.up${block}.mean_per_channel`, channelMeans(value));
    }
    all.set('mid.bnorm', all.get('bnorm')!);
    all.set('mid.bupsampler.mid', all.get('bupsampler.mid_block')!);
    return all;
  },
};

/** [n, c, h, w] to [n, c]. */
function channelMeans({ shape: [n = 0, c = 0, h = 0, w = 0], data }: Produced): Produced {
  const size = h * w;
  const mean = (_: unknown, i: number) =>
    data.subarray(i * size, (i + 1) * size).reduce((total, value) => total + value, 0) / size;
  return { shape: [n, c], data: Float64Array.from({ length: n * c }, mean) };
}
