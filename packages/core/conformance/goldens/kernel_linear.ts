import { gemm } from '../../src/ops/gemm.ts';
import { linear, linearSpec } from '../../src/ops/linear.ts';
import type { OpSpec } from '../../src/ops/op.ts';
import { type Adapter, produced, upload, uploadIf } from './adapter.ts';

/** y = x Wᵀ + b; as a matrix product where the device has no `linear` yet. */
export const kernelLinear: Adapter = {
  prefix: 'kernel_linear',
  async run(golden, backend) {
    const x = await upload(golden, backend, 'in.x');
    const weight = await upload(golden, backend, 'in.weight');
    const bias = await uploadIf(golden, backend, 'in.bias');
    const operands = [x, bias, undefined, weight];
    if (backend.supports(linearSpec as unknown as OpSpec, operands, { activation: 'none' }) === true) {
      return new Map([['out.y', await produced(linear(x, weight, { bias }))]]);
    }
    // Leading axes of x are rows.
    const y = gemm(x.reshape(x.rowCount, x.shape.at(-1)!), weight, { transB: true, bias });
    return new Map([['out.y', await produced(y, [...x.shape.slice(0, -1), weight.shape[0]!])]]);
  },
};
