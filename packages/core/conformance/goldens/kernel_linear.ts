import { gemm } from '../../src/ops/gemm.ts';
import { type Adapter, produced, upload } from './adapter.ts';

/** y = x Wᵀ + b. */
export const kernelLinear: Adapter = {
  prefix: 'kernel_linear',
  async run(golden, backend) {
    const x = await upload(golden, backend, 'in.x');
    const weight = await upload(golden, backend, 'in.weight');
    const bias = golden.has('in.bias') ? await upload(golden, backend, 'in.bias') : undefined;
    // Leading axes of x are rows.
    const rows = x.reshape(x.rowCount, x.shape.at(-1)!);
    const y = gemm(rows, weight, { transB: true, bias });
    const shape = [...x.shape.slice(0, -1), weight.shape[0]!];
    return new Map([['out.y', await produced(y, shape)]]);
  },
};
