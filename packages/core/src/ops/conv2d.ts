import { describe, sizeOf, type Tensor, type TensorSpec } from '../tensor.ts';
import { checkActivation, type FusedActivation } from './activation.ts';
import { fail, type OpOptions, type OpSpec, runOp, sameFloat, sameShape, vector, weightType } from './op.ts';

export interface Conv2dAttributes {
  readonly [name: string]: number | string;
  readonly stride: number;
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
  readonly groups: number;
  readonly activation: FusedActivation;
}

/** Inputs: x, w, bias?, residual?. */
export const conv2dSpec: OpSpec<Conv2dAttributes> = {
  name: 'conv2d',
  family: 'reduction',
  infer([x, w, bias, residual], attributes) {
    const dtype = sameFloat('conv2d', [x, bias, residual]);
    weightType('conv2d', x!, w!);
    checkActivation('conv2d', attributes.activation);
    for (const name of ['stride', 'top', 'bottom', 'left', 'right', 'groups'] as const) {
      const least = name === 'stride' || name === 'groups' ? 1 : 0;
      const value = attributes[name];
      if (!Number.isSafeInteger(value) || value < least) {
        throw fail('conv2d', `${name} out of range`, `an integer, ${least} or more`, `${value}`);
      }
    }
    const shape = outputShape(x!, w!, attributes);
    vector('conv2d', 'bias', bias, shape[1]!);
    sameShape('conv2d', 'residual', residual, shape);
    return [{ shape, dtype }];
  },
  /** Products with the zeros of the padding count. */
  flops([x, w], attributes) {
    const [batch = 0, , height = 0, width = 0] = outputShape(x!, w!, attributes);
    return 2 * batch * height * width * sizeOf(w!.shape);
  },
};

function outputShape(x: TensorSpec, w: TensorSpec, attributes: Conv2dAttributes): number[] {
  const { stride, top, bottom, left, right, groups } = attributes;
  if (x.shape.length !== 4) throw fail('conv2d', 'x must have four axes', '[b, c, h, w]', describe(x));
  if (w.shape.length !== 4) throw fail('conv2d', 'w must have four axes', '[o, c, kh, kw]', describe(w));
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const [outputs = 0, taken = 0, kh = 0, kw = 0] = w.shape;
  if (taken * groups !== channels || outputs % groups !== 0) {
    const expected = `[a multiple of ${groups}, ${channels} / ${groups}, kh, kw]`;
    throw fail('conv2d', 'w does not fit the channels of x', expected, describe(w));
  }
  const [y, z] = [height + top + bottom - kh, width + left + right - kw];
  if (kh < 1 || kw < 1 || y < 0 || z < 0) {
    const expected = `at most [${height + top + bottom}, ${width + left + right}], at least [1, 1]`;
    throw fail('conv2d', 'the kernel does not fit the padded picture', expected, `[${kh}, ${kw}]`);
  }
  return [batch, outputs, Math.floor(y / stride) + 1, Math.floor(z / stride) + 1];
}

/** Zeros around a picture. */
export interface Padding {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

export interface Conv2dOptions extends OpOptions {
  /** Step in both directions; 1 by default. */
  stride?: number;
  /** Zeros on every side, or on each; none by default. */
  padding?: number | Padding;
  /** Channels fall into so many groups that do not see each other; 1 by default. */
  groups?: number;
  /** Added to each output channel: [o], of the type of x. */
  bias?: Tensor | undefined;
  activation?: FusedActivation;
  /** Added to the result, after the activation: [b, o, h', w'], of the type of x. */
  residual?: Tensor | undefined;
}

/**
 * Cross-correlation, what networks call convolution: `activation(sum over channels and kernel of w x + bias) +
 * residual`. The kernel starts at the padded corner; rows and columns that the stride does not reach are left out.
 *
 * @param x [b, c, h, w], f32 or f64
 * @param weight [o, c / groups, kh, kw], f32, f16 or bf16 (f64 with f64)
 * @returns [b, o, floor((h + top + bottom - kh) / stride) + 1, likewise] in the type of x
 */
export function conv2d(x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  const { stride = 1, padding = 0, groups = 1, activation = 'none', bias, residual } = options;
  const { top, bottom, left, right } =
    typeof padding === 'number' ? { top: padding, bottom: padding, left: padding, right: padding } : padding;
  const attributes = { stride, top, bottom, left, right, groups, activation };
  return runOp(conv2dSpec, [x, weight, bias, residual], attributes, options)[0]!;
}
