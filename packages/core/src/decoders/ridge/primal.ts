import type { Backend } from '../../backend.ts';
import type { BundleContents } from '../../bundle/contents.ts';
import { bytesInWords } from '../../bytesInWords.ts';
import { F2iError, throwIfAborted } from '../../error.ts';
import { hasFloat64 } from '../../float64.ts';
import { gemm } from '../../ops/index.ts';
import { modelFromBundle, modelToBundle } from './bundle.ts';
import { copyColumns, moveTo } from './matrices.ts';

/** Bytes of float64 in one factor of a product: fits any device, and keeps its kernels busy. */
const BLOCK_BYTES = 64 * 2 ** 20;
/** Primal weights may take so much unless the caller says otherwise. */
export const PRIMAL_LIMIT_BYTES = 2 * 2 ** 30;

export interface PrimalOptions {
  backend: Backend;
  signal?: AbortSignal | undefined;
  /** Largest size of the primal weights, in bytes. */
  limitBytes?: number | undefined;
  /** Bytes of float64 in one factor of a product; 64 MiB by default. */
  blockBytes?: number | undefined;
}

/**
 * The same ridge decoder with weights of voxels instead of weights of training trials and their responses: W = Xᵀ C, X
 * the standardised training voxels [n, lags x v] and C the dual weights [n, t], summed in float64 and rounded to float32
 * once. With exact arithmetic on the device an output changes by at most 2⁻²⁴ Σ |z_k W_kt| by that rounding.
 * A primal decoder is returned as it is.
 *
 * @param file name of model.json, for errors
 * @throws INVALID_ARGUMENT if the weights would be larger than the limit, naming the sizes; UNSUPPORTED on a device
 *   without float64; FORMAT for contents that are no ridge decoder
 */
export async function primalRidge(
  contents: BundleContents,
  file: string,
  { backend, signal, limitBytes = PRIMAL_LIMIT_BYTES, blockBytes = BLOCK_BYTES }: PrimalOptions,
): Promise<BundleContents> {
  const model = modelFromBundle(contents, file);
  const { weights: dual, trainingVoxels } = model;
  if (!trainingVoxels) return contents;
  const width = model.voxelMean.length;
  const targets = model.targetMean.length;
  const trials = dual.length / targets;
  const bytes = 4 * width * targets;
  if (bytes > limitBytes) {
    const now = bytesInWords(dual.byteLength + trainingVoxels.byteLength);
    throw new F2iError(
      'INVALID_ARGUMENT',
      `primal weights of ${width} voxels (lags counted) x ${targets} outputs would take ${bytesInWords(bytes)}; the dual form of ${trials} trials takes ${now}`,
      {
        file,
        field: 'tensors.weights',
        expected: `at most ${bytesInWords(limitBytes)}`,
        found: bytesInWords(bytes),
      },
    );
  }
  if (!hasFloat64(backend)) {
    throw new F2iError('UNSUPPORTED', 'dual weights cancel each other: their product needs float64', {
      op: 'gemm',
      backend: backend.name,
    });
  }
  const weights = new Float32Array(width * targets);
  const atOnce = Math.max(1, Math.floor(blockBytes / (8 * trials)));
  for (let voxel = 0; voxel < width; voxel += atOnce) {
    const voxels = Math.min(atOnce, width - voxel);
    const columns = await copyColumns(trainingVoxels, width, voxel, voxel + voxels);
    const x = backend.scope(() => moveTo(backend, columns, [trials, voxels], 'f64', { signal }));
    try {
      for (let target = 0; target < targets; target += atOnce) {
        throwIfAborted(signal, 'converting to primal weights');
        const some = Math.min(atOnce, targets - target);
        const block = await copyColumns(dual, targets, target, target + some);
        const [product] = await backend.compute(() => {
          const c = moveTo(backend, block, [trials, some], 'f64', { signal });
          return [gemm(x, c, { transA: true, signal })];
        });
        for (let k = 0; k < voxels; k++) {
          weights.set(
            (product as Float64Array).subarray(k * some, (k + 1) * some),
            (voxel + k) * targets + target,
          );
        }
      }
    } finally {
      x.dispose();
    }
  }
  const primal = modelToBundle({ ...model, storage: 'primal', weights, trainingVoxels: undefined });
  return { ...primal, seed: contents.seed };
}
