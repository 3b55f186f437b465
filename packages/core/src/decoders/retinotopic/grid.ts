import type { Backend } from '../../backend.ts';
import { pacer } from '../../data/pause.ts';
import { throwIfAborted } from '../../error.ts';
import {
  add,
  columnStats,
  exp,
  gather,
  gemm,
  log,
  maximum,
  mul,
  type OpOptions,
  squareOf,
  standardize,
  sub,
  topK,
} from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import type { VisualExtent } from './fields.ts';
import { FieldPainter, PRF_PARAMETERS, type PrfModel, prfGrid } from './prf.ts';

/** Correlations [voxels, cells] that are held at once, and fields [cells, pixels]. */
const BLOCK_BYTES = 64 * 2 ** 20;
/**
 * Correlations are compared in steps of 2^-12, the distance of float32 numbers above this one. Cells that a stimulus
 * cannot tell apart (positions across a bar that moves one way only) then tie on every device, and the first wins:
 * the grid lists central ones first.
 */
const COARSE = 2 ** 11;
/** Overlaps below this are raised to their exponent as this. */
export const SMALLEST_OVERLAP = 1e-6;

/** Candidates of receptive fields; their pictures are painted once for all folds of a fit. */
export interface FieldGrid {
  readonly model: PrfModel;
  /** Parameters, [cells, parameters]. */
  readonly theta: Float64Array;
  /** [cells, pixels] on the device. */
  readonly fields: Tensor;
  /** Exponents of `css`, [1, cells]. */
  readonly exponents: Tensor | undefined;
  dispose(): void;
}

export async function paintGrid(
  backend: Backend,
  model: PrfModel,
  visual: VisualExtent,
  [height, width]: readonly [number, number],
  options: OpOptions,
): Promise<FieldGrid> {
  const theta = prfGrid(model, visual, height, width);
  const painter = new FieldPainter(model, visual, height, width);
  const count = PRF_PARAMETERS[model].length;
  const cells = theta.length / count;
  const painted = new Float32Array(cells * painter.pixels);
  const breathe = pacer(options.signal, 'the receptive fields of the grid');
  for (let cell = 0; cell < cells; cell++) {
    painter.paint(theta.subarray(cell * count, (cell + 1) * count), painted, cell, 1, 1);
    if (cell % 64 === 0) await breathe();
  }
  const exponents =
    model === 'css'
      ? Float32Array.from({ length: cells }, (_, cell) => Math.exp(theta[cell * count + 3]!))
      : undefined;
  const fields = backend.adopt(painted.buffer, [cells, painter.pixels], 'f32');
  const powers = exponents && backend.tensor(exponents, [1, cells]);
  const dispose = () => {
    fields.dispose();
    powers?.dispose();
  };
  return { model, theta, fields, exponents: powers, dispose };
}

/**
 * Overlaps of frames with the fields of the grid, for `css` raised to their exponents.
 *
 * @param frames [m, pixels]
 * @returns [m, cells]
 */
export function gridOverlaps(frames: Tensor, { fields, exponents }: FieldGrid, options: OpOptions): Tensor {
  return frames.backend.scope(() => {
    const linear = gemm(frames, fields, { ...options, transB: true });
    if (!exponents) return linear;
    const logs = log(maximum(linear, SMALLEST_OVERLAP, options), options);
    return exp(mul(logs, exponents, options), options);
  });
}

export interface GridMatch {
  /** Best cell of each voxel. */
  readonly cell: Int32Array;
  /** Correlation of its prediction with the voxel, over the rows, to about 1e-4. */
  readonly correlation: Float32Array;
}

/**
 * Finds the cell that correlates best with each voxel: predictions of all cells are one matrix product with the
 * convolution, their correlations with all voxels another.
 *
 * @param overlaps [m, cells]
 * @param convolution [n, m], drift removed
 * @param responses [n, voxels], standardised
 * @param signed take the largest correlation whatever its sign
 */
export async function matchGrid(
  overlaps: Tensor,
  convolution: Tensor,
  responses: Tensor,
  { signed, ...options }: OpOptions & { signed: boolean },
): Promise<GridMatch> {
  const { backend } = overlaps;
  const [n, voxels] = responses.shape as [number, number];
  const cells = overlaps.shape[1]!;
  const cell = new Int32Array(voxels);
  const correlation = new Float32Array(voxels);
  const best = new Float32Array(voxels).fill(Number.NEGATIVE_INFINITY);
  const atOnce = Math.max(1, Math.floor(BLOCK_BYTES / (4 * Math.max(voxels, n))));
  for (let first = 0; first < cells; first += atOnce) {
    throwIfAborted(options.signal, 'the search for receptive fields');
    const count = Math.min(atOnce, cells - first);
    const [values, indices] = await backend.compute(() => {
      const some =
        count === cells
          ? overlaps
          : gather(overlaps, { ...options, cols: Int32Array.from({ length: count }, (_, i) => first + i) });
      const predicted = gemm(convolution, some, options);
      const { mean, std } = columnStats(predicted, options);
      const z = standardize(predicted, { ...options, mean, std });
      const r = gemm(responses, z, { ...options, transA: true, alpha: 1 / n });
      const size = signed ? squareOf(r, options) : r;
      const found = topK(sub(add(size, COARSE, options), COARSE, options), 1, options);
      return [found.values, found.indices];
    });
    for (let v = 0; v < voxels; v++) {
      const value = (values as Float32Array)[v]!;
      if (!(value > best[v]!)) continue;
      best[v] = value;
      cell[v] = first + (indices as Int32Array)[v]!;
      correlation[v] = signed ? Math.sqrt(value) : value;
    }
  }
  return { cell, correlation };
}
