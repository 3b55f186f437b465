import type { VisualExtent } from './fields.ts';
import { integrateGaussian, type PixelAreas, pixelAreas } from './gaussian.ts';

/**
 * Models of a population receptive field (Dumoulin & Wandell 2008):
 * - `gaussian`: overlap of the stimulus with a circular Gaussian of volume 1;
 * - `css`: the same, raised to an exponent (compressive spatial summation, Kay et al. 2013);
 * - `dog`: a wider Gaussian of some volume is subtracted (difference of Gaussians, Zuiderbaan et al. 2012).
 */
export type PrfModel = 'gaussian' | 'css' | 'dog';
export const PRF_MODELS: readonly PrfModel[] = ['gaussian', 'css', 'dog'];

/** Parameters of one field in the order they are stored; sizes are sigmas. */
export const PRF_PARAMETERS = {
  gaussian: ['x', 'y', 'ln size'],
  css: ['x', 'y', 'ln size', 'ln exponent'],
  dog: ['x', 'y', 'ln size', 'ln of surround size / size', 'surround volume'],
} as const satisfies Record<PrfModel, readonly string[]>;

/** Exponents and surrounds that the grid holds. */
const EXPONENTS = [0.25, 0.5, 1];
const SURROUNDS = [
  { ratio: 2, volume: 0.5 },
  { ratio: 4, volume: 0.5 },
  { ratio: 4, volume: 1 },
];
/** Positions along one axis and sizes of the grid, at most. */
const POSITIONS = 24;
const SIZES = 8;
/** Sizes run from so many pixels ... */
const SMALLEST_PIXELS = 0.35;
/** ... to this part of the pictures' longer side. */
const LARGEST_PART = 0.35;
/** Refinement may leave the pictures by this part of their sides. */
const MARGIN = 0.2;

/** How many parameters act in space, before the sum over pixels. */
export function spatialCount(model: PrfModel): number {
  return model === 'dog' ? 5 : 3;
}

/** Lowest and highest value of each parameter. */
export function prfBounds(model: PrfModel, visual: VisualExtent, height: number, width: number) {
  const { left, right, top, bottom } = visual.extent;
  const sides = [Math.abs(right - left), Math.abs(bottom - top)] as const;
  const smallest = Math.log(0.2 * Math.min(sides[0] / width, sides[1] / height));
  const largest = Math.log(2 * LARGEST_PART * Math.max(...sides));
  const low = [
    Math.min(left, right) - MARGIN * sides[0],
    Math.min(top, bottom) - MARGIN * sides[1],
    smallest,
  ];
  const high = [
    Math.max(left, right) + MARGIN * sides[0],
    Math.max(top, bottom) + MARGIN * sides[1],
    largest,
  ];
  if (model === 'css') {
    low.push(Math.log(0.05));
    high.push(Math.log(2));
  }
  if (model === 'dog') {
    low.push(Math.log(1.2), 0);
    high.push(Math.log(10), 1.5);
  }
  return { low, high };
}

/** Parameters of all cells of the grid, [cells, parameters] row-major; central positions first. */
export function prfGrid(model: PrfModel, visual: VisualExtent, height: number, width: number): Float64Array {
  const { left, right, top, bottom } = visual.extent;
  const along = (from: number, to: number, pixels: number) => {
    const count = Math.min(pixels, POSITIONS);
    return Array.from({ length: count }, (_, i) => from + ((to - from) * (i + 0.5)) / count);
  };
  const pitch = Math.min(Math.abs(right - left) / width, Math.abs(bottom - top) / height);
  const longest = Math.max(Math.abs(right - left), Math.abs(bottom - top));
  const smallest = Math.log(SMALLEST_PIXELS * pitch);
  const largest = Math.log(Math.max(LARGEST_PART * longest, 2 * SMALLEST_PIXELS * pitch));
  const shapes =
    model === 'css'
      ? EXPONENTS.map((exponent) => [Math.log(exponent)])
      : model === 'dog'
        ? [{ ratio: 2, volume: 0 }, ...SURROUNDS].map(({ ratio, volume }) => [Math.log(ratio), volume])
        : [[]];
  const positions = along(top, bottom, height).flatMap((y) =>
    along(left, right, width).map((x) => ({ x, y })),
  );
  const eccentricity = ({ x, y }: { x: number; y: number }) =>
    Math.hypot(x - (left + right) / 2, y - (top + bottom) / 2);
  positions.sort((a, b) => eccentricity(a) - eccentricity(b));
  const cells: number[] = [];
  for (const { x, y } of positions) {
    for (let s = 0; s < SIZES; s++) {
      const size = smallest + ((largest - smallest) * s) / (SIZES - 1);
      for (const shape of shapes) cells.push(x, y, size, ...shape);
    }
  }
  return Float64Array.from(cells);
}

/** Writes fields, and their derivatives, over the pixels of pictures [height, width]. */
export class FieldPainter {
  readonly #model: PrfModel;
  readonly #visual: VisualExtent;
  readonly #across: PixelAreas;
  readonly #down: PixelAreas;
  readonly pixels: number;

  constructor(model: PrfModel, visual: VisualExtent, height: number, width: number) {
    this.#model = model;
    this.#visual = visual;
    this.#across = pixelAreas(width);
    this.#down = pixelAreas(height);
    this.pixels = height * width;
  }

  /**
   * The field of one voxel; with `rows` above 1 also its derivatives by the spatial parameters, one after the other.
   *
   * @param theta parameters, in the order of PRF_PARAMETERS
   * @param out its row `at` is written, and the next ones at a distance of `stride`
   */
  paint(theta: Float64Array, out: Float32Array, at: number, rows: number, stride: number): void {
    const [x, y, logSize] = theta as unknown as [number, number, number];
    const size = Math.exp(logSize);
    this.#gaussian(x, y, size, out, at, rows, stride, 1, 0);
    if (this.#model !== 'dog') return;
    const [, , , logRatio, volume] = theta as unknown as [number, number, number, number, number];
    this.#gaussian(x, y, size * Math.exp(logRatio), out, at, rows, stride, -volume, 1);
  }

  /** Adds `factor` times a Gaussian (and derivatives by x, y and ln size); `surround` adds those of its own. */
  #gaussian(
    x: number,
    y: number,
    size: number,
    out: Float32Array,
    at: number,
    rows: number,
    stride: number,
    factor: number,
    surround: 0 | 1,
  ): void {
    const { left, right, top, bottom } = this.#visual.extent;
    const across = this.#across;
    const down = this.#down;
    const width = across.area.length;
    const height = down.area.length;
    integrateGaussian(across, x, size, left, (right - left) / width);
    integrateGaussian(down, y, size, top, (bottom - top) / height);
    const { pixels } = this;
    const first = at * pixels;
    const next = stride * pixels;
    // A surround adds to what its centre has written.
    if (!surround)
      for (let row = 0; row < rows; row++) out.fill(0, first + row * next, first + row * next + pixels);
    for (let i = 0, j = first; i < height; i++) {
      const [area, byCentre, byLogSize] = [down.area[i]!, down.byCentre[i]!, down.byLogSize[i]!];
      for (let c = 0; c < width; c++, j++) {
        const own = area * across.area[c]!;
        out[j]! += factor * own;
        if (rows === 1) continue;
        const byBoth = byLogSize * across.area[c]! + area * across.byLogSize[c]!;
        out[j + next]! += factor * area * across.byCentre[c]!;
        out[j + 2 * next]! += factor * byCentre * across.area[c]!;
        out[j + 3 * next]! += factor * byBoth;
        if (!surround) continue;
        // By the logarithm of the ratio, and by the surround's volume.
        out[j + 4 * next] = factor * byBoth;
        out[j + 5 * next] = -own;
      }
    }
  }
}
