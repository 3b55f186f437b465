import { moveTo } from '../decoders/ridge/matrices.ts';
import { add, columnStats, gemm, sub } from '../ops/index.ts';
import type { Tensor } from '../tensor.ts';
import { COLUMNS_AT_ONCE, type ProjectOptions } from './project.ts';
import type { DesignColumns, Readout } from './readout.ts';

/**
 * What a read-out predicts of some targets for the rows of a design, centred: S = Z W less its means, [rows, targets].
 * Voxels are read in blocks. A tensor of the caller.
 */
export async function centredPredictions(
  readout: Readout,
  design: DesignColumns,
  targets: Int32Array,
  { backend, precision, signal }: ProjectOptions,
): Promise<Tensor> {
  const ops = { signal };
  const width = readout.voxels * readout.lags;
  const weights = await readout.weights(targets, signal);
  const trained = readout.form === 'dual' ? readout.design! : undefined;
  // Dual weights meet the rows that they weigh in Z Zᵀ, primal ones meet Z itself.
  let sum: Tensor | undefined;
  try {
    for (let from = 0; from < width; from += COLUMNS_AT_ONCE) {
      const to = Math.min(width, from + COLUMNS_AT_ONCE);
      const block = await design.read(from, to, signal);
      const own = await trained?.read(from, to, signal);
      const before: Tensor | undefined = sum;
      sum = backend.scope(() => {
        const z = moveTo(backend, block, [design.rows, to - from], precision, ops);
        const part = own
          ? gemm(z, moveTo(backend, own, [trained!.rows, to - from], precision, ops), {
              ...ops,
              transB: true,
            })
          : gemm(
              z,
              moveTo(
                backend,
                weights.slice(from * targets.length, to * targets.length),
                [to - from, targets.length],
                precision,
                ops,
              ),
              ops,
            );
        return before ? add(part, before, ops) : part;
      });
      before?.dispose();
    }
    return backend.scope(() => {
      const s = trained
        ? gemm(sum!, moveTo(backend, weights, [trained.rows, targets.length], precision, ops), ops)
        : sum!;
      return sub(s, columnStats(s, ops).mean, ops);
    });
  } finally {
    sum?.dispose();
  }
}
