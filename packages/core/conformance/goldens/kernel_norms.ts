import { groupNorm } from '../../src/ops/group_norm.ts';
import { layerNorm } from '../../src/ops/layer_norm.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { type Adapter, hyperNumber, produced, upload, uploadIf } from './adapter.ts';

/** Affine, or with a gain alone; "stable" where the sidecar says so. */
export const kernelLayerNorm: Adapter = {
  prefix: 'kernel_layer_norm',
  async run(golden, backend) {
    const x = await upload(golden, backend, 'in.x');
    const gain = await uploadIf(golden, backend, golden.has('in.g') ? 'in.g' : 'in.weight');
    const bias = await uploadIf(golden, backend, 'in.bias');
    const stable = golden.sidecar.hyper.stable === true;
    const y = layerNorm(x, { gain, bias, eps: hyperNumber(golden, 'eps', 1e-5), stable });
    return new Map([['out.y', await produced(y)]]);
  },
};

/** The name says whether SiLU follows. */
export const kernelGroupNorm: Adapter = {
  prefix: 'kernel_group_norm',
  async run(golden, backend) {
    const x = await upload(golden, backend, 'in.x');
    const gain = await uploadIf(golden, backend, 'in.weight');
    const bias = await uploadIf(golden, backend, 'in.bias');
    const eps = hyperNumber(golden, 'eps', 1e-5);
    const activation = /_silu(_|$)/.test(golden.name) ? 'silu' : 'none';
    const y = groupNorm(x, hyperNumber(golden, 'groups'), { gain, bias, eps, activation });
    return new Map([['out.y', await produced(y)]]);
  },
};

export const kernelSoftmax: Adapter = {
  prefix: 'kernel_softmax',
  async run(golden, backend) {
    const x = await upload(golden, backend, 'in.x');
    return new Map([
      ['out.y', await produced(softmax(x))],
      ['out.log_softmax', await produced(softmax(x, { log: true }))],
    ]);
  },
};
