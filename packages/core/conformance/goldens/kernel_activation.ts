import { gelu, silu } from '../../src/ops/activation.ts';
import { geglu, swiglu } from '../../src/ops/gated_activation.ts';
import type { Tensor } from '../../src/tensor.ts';
import { type Adapter, produced, upload } from './adapter.ts';

/** Functions of one tensor, gated ones among them. */
export const kernelActivations: readonly Adapter[] = [
  ofOne('kernel_gelu_erf', (x) => gelu(x)),
  ofOne('kernel_gelu_tanh', (x) => gelu(x, { form: 'tanh' })),
  ofOne('kernel_quick_gelu', (x) => gelu(x, { form: 'quick' })),
  ofOne('kernel_silu', silu),
  ofOne('kernel_geglu', geglu),
  ofOne('kernel_swiglu', swiglu),
];

function ofOne(prefix: string, apply: (x: Tensor) => Tensor): Adapter {
  return {
    prefix,
    async run(golden, backend) {
      return new Map([['out.y', await produced(apply(await upload(golden, backend, 'in.x')))]]);
    },
  };
}
