import type { Backend } from '../backend.ts';
import type { Precision } from '../decoders/ridge/precision.ts';
import { columnBlocks, type TargetSource } from '../decoders/ridge/targets.ts';
import type { Fold } from '../decoders/ridge/types.ts';
import { bytesPerElement } from '../dtype.ts';
import { F2iError, throwIfAborted } from '../error.ts';
import { add, cast, columnStats, gather, gemm, gram, standardize } from '../ops/index.ts';
import type { Tensor } from '../tensor.ts';

/** The dual equations of a fold's training rows, and how the held-out rows meet them. */
export interface FoldGram {
  /** z zᵀ of the training rows, [n, n]; z are voxels centred (and scaled) on these rows alone. */
  readonly matrix: Tensor;
  /** Training rows against held-out rows, [n, m]. */
  readonly cross: Tensor;
  /** Sum of the eigenvalues of `matrix`, and voxels that vary over the training rows. */
  readonly trace: number;
  readonly varying: number;
  /** Mean of the eigenvalues of `matrix` that can differ from 0: what penalties are relative to. */
  readonly meanEigenvalue: number;
}

export interface FoldGramOptions {
  backend: Backend;
  precision: Precision;
  /** Divides each voxel by its standard deviation over the training rows (default). */
  standardize?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Bytes of one uploaded block of voxels. */
  blockBytes?: number | undefined;
}

/**
 * Gram matrix of some voxels as a decoder of this fold sees them, out of blocks of voxels: never are all of them on the
 * device. Costs n² multiplications a voxel.
 *
 * @param voxels source of columns [rows, voxels], such as `targetsInMemory`
 * @param columns voxels to take; must not be empty
 * @returns tensors of the caller
 */
export async function foldGram(
  voxels: TargetSource,
  columns: Int32Array,
  fold: Fold,
  { backend, precision, standardize: scale = true, signal, blockBytes }: FoldGramOptions,
): Promise<FoldGram> {
  const ops = { signal };
  const [train, test] = [Int32Array.from(fold.train), Int32Array.from(fold.test)];
  let sums: { matrix: Tensor; cross: Tensor } | undefined;
  let varying = 0;
  let variance = 0;
  try {
    for (const block of columnBlocks(columns, voxels.trials, bytesPerElement('f32'), blockBytes)) {
      throwIfAborted(signal, 'Gram matrices');
      const values = Float32Array.from(await voxels.read(block, signal));
      const before: typeof sums = sums;
      const step = backend.scope(() => {
        const x = backend.adopt(values.buffer as ArrayBuffer, [voxels.trials, block.length], 'f32');
        const rows = gather(x, { ...ops, rows: train });
        const { mean, std } = columnStats(rows, ops);
        const seen = (part: Tensor) => {
          const z = standardize(part, { ...ops, mean, std: scale ? std : undefined });
          return precision === 'f64' ? cast(z, 'f64', ops) : z;
        };
        const z = seen(rows);
        const matrix = gram(z, ops);
        const cross = gemm(z, seen(gather(x, { ...ops, rows: test })), { ...ops, transB: true });
        return {
          sums: before
            ? { matrix: add(before.matrix, matrix, ops), cross: add(before.cross, cross, ops) }
            : { matrix, cross },
          std: std.download(),
        };
      });
      sums = step.sums;
      before?.matrix.dispose();
      before?.cross.dispose();
      for (const deviation of (await step.std) as Float32Array) {
        if (!Number.isFinite(deviation)) {
          throw new F2iError('INVALID_ARGUMENT', 'voxels hold NaN or infinity', {
            field: 'voxels',
            expected: 'finite responses',
          });
        }
        if (deviation > 0) varying++;
        variance += scale ? (deviation > 0 ? 1 : 0) : deviation ** 2;
      }
    }
  } catch (error) {
    sums?.matrix.dispose();
    sums?.cross.dispose();
    throw error;
  }
  const n = train.length;
  const trace = n * variance;
  return { ...sums!, trace, varying, meanEigenvalue: trace / Math.max(1, Math.min(n, varying)) };
}
