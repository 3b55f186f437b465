import { pearsonColumns } from '../../src/ops/pearson_columns.ts';
import { type Adapter, produced, upload } from './adapter.ts';

export const kernelPearsonColumns: Adapter = {
  prefix: 'kernel_pearson_columns',
  async run(golden, backend) {
    const x = await upload(golden, backend, 'in.X');
    const y = await upload(golden, backend, 'in.Y');
    return new Map([['out.r', await produced(pearsonColumns(x, y))]]);
  },
};
