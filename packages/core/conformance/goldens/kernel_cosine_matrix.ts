import { cosineMatrix } from '../../src/ops/cosine_matrix.ts';
import { sizeOf, type Tensor } from '../../src/tensor.ts';
import { type Adapter, produced, upload } from './adapter.ts';

/** Rows are everything behind the first axis, flattened. */
export const kernelCosineMatrix: Adapter = {
  prefix: 'kernel_cosine_matrix',
  async run(golden, backend) {
    const a = flatRows(await upload(golden, backend, 'in.A'));
    const b = flatRows(await upload(golden, backend, 'in.B'));
    return new Map([['out.y', await produced(cosineMatrix(a, b))]]);
  },
};

function flatRows(x: Tensor): Tensor {
  return x.reshape(x.shape[0]!, sizeOf(x.shape.slice(1)));
}
