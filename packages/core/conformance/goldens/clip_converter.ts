import { convertClipTokens } from '../../src/decoders/clipConverter.ts';
import { clipConverter as schema } from '../../src/weights/schemas/index.ts';
import { type Adapter, produced, upload } from './adapter.ts';
import { goldenNetwork } from './network.ts';

/** Tokens of one CLIP to those of another. */
export const clipConverter: Adapter = {
  prefix: 'clip_converter',
  async run(golden, backend) {
    const { network } = await goldenNetwork(golden, backend, schema);
    const x = await upload(golden, backend, 'in.x');
    return new Map([['out.converted', await produced(convertClipTokens(network, x))]]);
  },
};
