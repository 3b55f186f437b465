import { retrievalTokens, voxelsToTokens } from '../../src/decoders/mindeye1/network.ts';
import type { Tensor } from '../../src/tensor.ts';
import { mindeye1Voxel2clip as schema } from '../../src/weights/schemas/index.ts';
import { type Adapter, upload } from './adapter.ts';
import { goldenNetwork, Results } from './network.ts';

/** Residual network and projector. */
export const mindeye1Voxel2clip: Adapter = {
  prefix: 'mindeye1_voxel2clip',
  async run(golden, backend) {
    const { network, matched } = await goldenNetwork(golden, backend, schema);
    const { extents } = matched;
    const results = new Results();
    const observe = (name: string, value: Tensor) => {
      if (golden.has(`mid.${name}`)) results.add(`mid.${name}`, value);
    };
    const x = await upload(golden, backend, 'in.x');
    const flat = voxelsToTokens(network, x, { observe });
    results.add('out.backbone', flat);
    const tokens = flat.reshape(x.shape[0]!, extents.get('tokens')!, extents.get('clip')!);
    results.add('out.projected', retrievalTokens(network, tokens));
    return results.all();
  },
};
