import type { DType } from '../../../dtype.ts';
import { add, concat, permute } from '../../../ops/index.ts';
import type { Tensor } from '../../../tensor.ts';
import type { NormalEquations } from '../equations.ts';
import { largestEigenvalue } from '../precision.ts';
import type { RidgeForm } from '../types.ts';
import type { Context } from './context.ts';
import { type DesignBlock, forEachBlock, whenDone } from './designBlocks.ts';
import type { Design } from './types.ts';

/** The equations of a design that was read in blocks, and how its test rows meet them. */
export interface StreamedSystem {
  readonly equations: NormalEquations;
  /** Test rows against the unknowns, transposed: [train, test] or [voxels, test]. */
  readonly cross: Tensor | undefined;
  dispose(): void;
}

/** Thrown inside, where the first block already shows that the arithmetic would not do. */
export class Abandoned extends Error {}

/**
 * Reads the design once. Dual equations are sums over blocks of voxels, x xᵀ = Σ x_b x_bᵀ, added in ascending order;
 * for primal ones the design stays on the device.
 *
 * @param suffices is told a lower bound on the largest eigenvalue, that of the first block alone: the others can only add
 *   to it (Weyl's inequality, their Gram matrices having no negative eigenvalues)
 * @throws Abandoned if `suffices` says no
 */
export async function readSystem(
  design: Design,
  form: RidgeForm,
  dtype: DType,
  context: Context,
  suffices?: (eigenvalue: number) => boolean,
): Promise<StreamedSystem> {
  if (suffices) {
    const first: Design = {
      train: design.train,
      test: design.test,
      voxels: Math.min(design.voxels, PROBED_VOXELS),
      read: (from, to, signal, into) => design.read(from, to, signal, into),
      matrix: design.matrix,
      ledger: design.ledger,
    };
    let block: Tensor | undefined;
    await forEachBlock(first, dtype, context, {
      test: false,
      progress: false,
      use: ({ train }) => train,
      keep: (train) => {
        block = train;
        return whenDone(train);
      },
    }).catch((error) => {
      block?.dispose();
      throw error;
    });
    try {
      if (!suffices(await largestEigenvalue(block!, context.options))) throw new Abandoned();
    } finally {
      block!.dispose();
    }
  }
  return form === 'dual' ? readDual(design, dtype, context) : readPrimal(design, dtype, context);
}

/** Enough for a bound, and little beside a pass over all. */
const PROBED_VOXELS = 512;

async function readDual(design: Design, dtype: DType, context: Context): Promise<StreamedSystem> {
  const { ops, options } = context;
  let matrix: Tensor | undefined;
  let cross: Tensor | undefined;
  const dispose = () => {
    matrix?.dispose();
    cross?.dispose();
  };
  try {
    await forEachBlock(design, dtype, context, {
      test: true,
      progress: true,
      use({ train, test }) {
        const part = ops.gram(train);
        return {
          sum: matrix ? add(matrix, part, options) : part,
          met: test && ops.gemm(train, test, { transB: true, c: cross }),
        };
      },
      keep({ sum, met }) {
        dispose();
        [matrix, cross] = [sum, met];
        return whenDone(sum);
      },
    });
  } catch (error) {
    dispose();
    throw error;
  }
  return { equations: { form: 'dual', matrix: matrix! }, cross, dispose };
}

async function readPrimal(design: Design, dtype: DType, context: Context): Promise<StreamedSystem> {
  const { backend, ops, options } = context;
  const blocks: Pick<DesignBlock, 'train' | 'test'>[] = [];
  try {
    await forEachBlock(design, dtype, context, {
      test: true,
      progress: true,
      use: ({ train, test }) => ({ train, test }),
      keep(block) {
        blocks.push(block);
        return whenDone(block.train);
      },
    });
    const [x, matrix, cross] = backend.scope(() => {
      const all = concat(
        blocks.map(({ train }) => train),
        1,
        options,
      );
      const tests = blocks.flatMap(({ test }) => (test ? [test] : []));
      const met = tests.length > 0 ? permute(concat(tests, 1, options), [1, 0], options) : undefined;
      return [all, ops.gram(all, { of: 'columns' }), met] as const;
    });
    const dispose = () => {
      for (const tensor of [x, matrix, cross]) tensor?.dispose();
    };
    return { equations: { form: 'primal', design: x, matrix }, cross, dispose };
  } finally {
    for (const { train, test } of blocks) {
      train.dispose();
      test?.dispose();
    }
  }
}
