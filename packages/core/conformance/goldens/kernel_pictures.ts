import { adaptiveMaxPool1d } from '../../src/ops/adaptive_max_pool1d.ts';
import { type Conv2dOptions, conv2d } from '../../src/ops/conv2d.ts';
import { slice } from '../../src/ops/slice.ts';
import { upsampleNearest } from '../../src/ops/upsample_nearest.ts';
import { type Adapter, hyperNumber, produced, upload, uploadIf } from './adapter.ts';
import type { GoldenCase } from './case.ts';

/** Stride and padding of the sidecar; those of a VAE encoder's downsampling by its name. */
export const kernelConv2d: Adapter = {
  prefix: 'kernel_conv2d',
  async run(golden, backend) {
    const x = await upload(golden, backend, 'in.x');
    const weight = await upload(golden, backend, 'in.weight');
    const bias = await uploadIf(golden, backend, 'in.bias');
    return new Map([['out.y', await produced(conv2d(x, weight, { ...geometry(golden), bias }))]]);
  },
};

function geometry(golden: GoldenCase): Conv2dOptions {
  if (/_downsample(_|$)/.test(golden.name)) {
    return { stride: 2, padding: { top: 0, bottom: 1, left: 0, right: 1 } };
  }
  return { stride: hyperNumber(golden, 'stride', 1), padding: hyperNumber(golden, 'padding', 0) };
}

/** The name ends in the factor. */
export const kernelUpsampleNearest: Adapter = {
  prefix: 'kernel_upsample_nearest2x',
  async run(golden, backend) {
    return new Map([['out.y', await produced(upsampleNearest(await upload(golden, backend, 'in.x'), 2))]]);
  },
};

/** `out.y_up` pools the beginning of the rows to more values than it has; the statement says how much of them. */
export const kernelAdaptiveMaxPool: Adapter = {
  prefix: 'kernel_adaptive_max_pool1d',
  async run(golden, backend) {
    const x = await upload(golden, backend, 'in.x');
    const results = new Map([['out.y', await produced(adaptiveMaxPool1d(x, hyperNumber(golden, 'out')))]]);
    if (golden.has('out.y_up')) {
      const size = (await golden.read('out.y_up')).shape.at(-1)!;
      const taken = Number(/first (\d+) inputs/.exec(golden.sidecar.statement)?.[1]);
      const beginning = slice(x, x.shape.length - 1, 0, taken);
      results.set('out.y_up', await produced(adaptiveMaxPool1d(beginning, size)));
    }
    return results;
  },
};
