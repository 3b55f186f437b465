import { describe, sizeOf, type Tensor } from '../tensor.ts';
import { fail, type OpOptions, type OpSpec, runOp, sameFloat } from './op.ts';
import { RESIZE_MODES, type ResizeMode, resizeTaps } from './resize2d_taps.ts';

export interface Resize2dAttributes {
  readonly [name: string]: number | string | boolean;
  readonly height: number;
  readonly width: number;
  readonly mode: ResizeMode;
  readonly antialias: boolean;
}

/** Inputs: x. */
export const resize2dSpec: OpSpec<Resize2dAttributes> = {
  name: 'resize2d',
  family: 'reduction',
  infer([x], { height, width, mode }) {
    const dtype = sameFloat('resize2d', [x]);
    if (!RESIZE_MODES.includes(mode)) {
      throw fail('resize2d', 'no such mode', RESIZE_MODES.join(', '), mode);
    }
    if (x!.shape.length < 2 || sizeOf(x!.shape.slice(-2)) === 0) {
      throw fail('resize2d', 'x is no picture', '[..., h, w] with pixels', describe(x!));
    }
    for (const extent of [height, width]) {
      if (!Number.isSafeInteger(extent) || extent < 1) {
        throw fail('resize2d', 'not a size of a picture', 'integers, 1 or more', `${height} x ${width}`);
      }
    }
    return [{ shape: [...x!.shape.slice(0, -2), height, width], dtype }];
  },
  /** In two passes, columns first. */
  flops([x], { height, width, mode, antialias }) {
    const [h = 0, w = 0] = x!.shape.slice(-2);
    const taps = (from: number, to: number) => resizeTaps(from, to, mode, antialias).weights.length;
    return 2 * sizeOf(x!.shape.slice(0, -2)) * (h * taps(w, width) + width * taps(h, height));
  },
};

export interface Resize2dOptions extends OpOptions {
  /** `bilinear` by default. */
  mode?: ResizeMode;
  /** Widens the filter where a side shrinks, so that no input pixel is passed over; not with `nearest`. */
  antialias?: boolean;
}

/**
 * A picture of another size: `y[i, j] = sum over taps of rows[i] columns[j] x`, both from {@link resizeTaps}.
 * The conventions are those of `torch.nn.functional.interpolate` with `align_corners=False`.
 *
 * @param x [..., h, w]
 * @returns [..., height, width]
 */
export function resize2d(x: Tensor, height: number, width: number, options: Resize2dOptions = {}): Tensor {
  const { mode = 'bilinear', antialias = false } = options;
  return runOp(resize2dSpec, [x], { height, width, mode, antialias }, options)[0]!;
}
