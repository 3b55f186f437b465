import { pacer } from '../../data/pause.ts';
import { throwIfAborted } from '../../error.ts';
import {
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
  topK,
} from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';
import type { VisualExtent } from './fields.ts';
import { FieldPainter, PRF_PARAMETERS, type PrfModel } from './prf.ts';

/** Correlations [voxels, cells] that are held at once, and fields [cells, pixels]. */
const BLOCK_BYTES = 64 * 2 ** 20;
/** Overlaps below this are raised to their exponent as this. */
export const SMALLEST_OVERLAP = 1e-6;

/** Overlaps of the frames with the cells' fields (for `css` raised to their exponents), on the device. */
export interface GridOverlaps {
  /** [frames, cells] */
  readonly overlaps: Tensor;
  readonly cells: number;
}

/**
 * @param frames [m, pixels]
 * @param grid [cells, parameters]
 */
export async function gridOverlaps(
  frames: Tensor,
  grid: Float64Array,
  model: PrfModel,
  visual: VisualExtent,
  [height, width]: readonly [number, number],
  options: OpOptions,
): Promise<GridOverlaps> {
  const { backend } = frames;
  const painter = new FieldPainter(model, visual, height, width);
  const count = PRF_PARAMETERS[model].length;
  const cells = grid.length / count;
  const exponents = new Float32Array(cells);
  const fields = new Float32Array(cells * painter.pixels);
  const breathe = pacer(options.signal, 'the receptive fields of the grid');
  for (let cell = 0; cell < cells; cell++) {
    const theta = grid.subarray(cell * count, (cell + 1) * count);
    painter.paint(theta, fields, cell, 1, 1);
    if (model === 'css') exponents[cell] = Math.exp(theta[3]!);
    if (cell % 64 === 0) await breathe();
  }
  const overlaps = backend.scope(() => {
    const painted = backend.adopt(fields.buffer, [cells, painter.pixels], 'f32');
    const linear = gemm(frames, painted, { ...options, transB: true });
    if (model !== 'css') return linear;
    const floored = log(maximum(linear, SMALLEST_OVERLAP, options), options);
    return exp(mul(floored, backend.tensor(exponents, [1, cells]), options), options);
  });
  return { overlaps, cells };
}

export interface GridMatch {
  /** Best cell of each voxel. */
  readonly cell: Int32Array;
  /** Correlation of its prediction with the voxel, over the rows. */
  readonly correlation: Float32Array;
}

/**
 * Finds the cell that correlates best with each voxel: predictions of all cells are one matrix product with the
 * convolution, their correlations with all voxels another.
 *
 * @param convolution [n, m], drift removed
 * @param responses [n, voxels], standardised
 * @param signed take the largest correlation whatever its sign
 */
export async function matchGrid(
  { overlaps, cells }: GridOverlaps,
  convolution: Tensor,
  responses: Tensor,
  { signed, ...options }: OpOptions & { signed: boolean },
): Promise<GridMatch> {
  const { backend } = overlaps;
  const [n, voxels] = responses.shape as [number, number];
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
      const found = topK(signed ? squareOf(r, options) : r, 1, options);
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
