import type { DType } from '../../../dtype.ts';
import { F2iError, throwIfAborted } from '../../../error.ts';
import { columnStats, sub } from '../../../ops/index.ts';
import type { Tensor } from '../../../tensor.ts';
import type { Context } from './context.ts';
import { designReader } from './designReader.ts';
import { VOXEL_BLOCK } from './plan.ts';
import { quiet } from './tally.ts';
import type { Design } from './types.ts';

/** A block of voxels on the device. */
export interface DesignBlock {
  readonly from: number;
  readonly to: number;
  /** Training rows [train, to - from], centred if there is an intercept. */
  readonly train: Tensor;
  /** Test rows, centred on the training rows' means; absent where the design has none. */
  readonly test: Tensor | undefined;
}

/**
 * Reads a design block by block: the next one is read while the device works on what `use` enqueued for the last one.
 *
 * @param use enqueues work; tensors that it makes are freed unless it returns them
 * @param keep takes what `use` returned; its promise settles when that work is done
 * @throws INVALID_ARGUMENT naming the voxel that holds NaN or infinity
 */
export async function forEachBlock<T>(
  design: Design,
  dtype: DType,
  context: Context,
  pass: { test: boolean; progress: boolean; use(block: DesignBlock): T; keep(result: T): Promise<unknown> },
): Promise<void> {
  const { backend, intercept, signal, tally, options, report } = context;
  const { voxels } = design;
  const withTest = pass.test && design.test > 0;
  const reader = designReader(design, withTest, context);
  let settled: Promise<void> | undefined;
  try {
    for (let from = 0; from < voxels; from += VOXEL_BLOCK) {
      throwIfAborted(signal, 'reading voxels');
      const to = Math.min(voxels, from + VOXEL_BLOCK);
      const block = await reader.read(from, to);
      await settled;
      const { result, means } = backend.scope(() => {
        const x = block.train(dtype);
        const { mean } = columnStats(x, options);
        const train = intercept ? sub(x, mean, options) : x;
        if (train !== x) x.dispose();
        const found = [quiet(mean.download())];
        let test: Tensor | undefined;
        if (withTest) {
          const held = block.test(dtype);
          found.push(quiet(columnStats(held, options).mean.download()));
          test = intercept ? sub(held, mean, options) : held;
        }
        return { result: pass.use({ from, to, train, test }), means: found };
      });
      const kept = quiet(pass.keep(result));
      settled = tally.busy(
        Promise.all([Promise.all(means), kept]).then(([[trainMean, testMean]]) => {
          checkFinite(trainMean!, from, 'training');
          if (testMean) checkFinite(testMean, from, 'test');
          if (pass.progress) report('gram', to, voxels);
        }),
      );
      quiet(settled);
    }
    await settled;
  } finally {
    await settled?.catch(() => undefined);
    reader.dispose();
  }
}

/** Settles when a tensor has been computed; only its first row is downloaded. */
export function whenDone(tensor: Tensor): Promise<unknown> {
  const [row] = tensor.backend.scope(() => [tensor.rows(0, 1).download()]);
  return row!;
}

function checkFinite(means: ArrayLike<number>, from: number, which: string): void {
  for (let i = 0; i < means.length; i++) {
    if (Number.isFinite(means[i])) continue;
    throw new F2iError('INVALID_ARGUMENT', `${which} rows of voxels hold NaN or infinity`, {
      field: 'voxels',
      expected: 'finite values',
      found: `voxel ${from + i}`,
    });
  }
}
