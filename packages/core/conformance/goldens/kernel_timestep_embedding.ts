import { timestepEmbedding } from '../../src/nn/tables.ts';
import type { Adapter } from './adapter.ts';

/** Tables of the host: no device takes part. */
export const kernelTimestepEmbedding: Adapter = {
  prefix: 'kernel_timestep_embedding',
  async run(golden) {
    const { data: t } = await golden.read('in.t');
    const results = new Map();
    for (const [name, order] of [
      ['out.sgm_cos_sin', 'cos-sin'],
      ['out.dalle2_sin_cos', 'sin-cos'],
    ] as const) {
      const dim = (await golden.read(name)).shape[1]!;
      results.set(name, { shape: [t.length, dim], data: timestepEmbedding(t, { dim, order }) });
    }
    return results;
  },
};
