import { describe, sizeOf, type Tensor } from '../tensor.ts';
import { fail, matrix, type OpOptions, type OpSpec, runOp, sameFloat, sameShape } from './op.ts';

export interface RotaryAttributes {
  readonly [name: string]: number;
  /** Axis of positions counted from the end: 2 for [..., n, d], 3 for [..., n, h, d]. */
  readonly positionAxis: number;
}

/** Inputs: x, cos, sin. */
export const rotarySpec: OpSpec<RotaryAttributes> = {
  name: 'rotary',
  family: 'elementwise',
  infer([x, cos, sin], { positionAxis }) {
    const dtype = sameFloat('rotary', [x, cos, sin]);
    if ((positionAxis !== 2 && positionAxis !== 3) || x!.shape.length < positionAxis) {
      throw fail('rotary', 'x has no such axis of positions', '[..., n, d] or [..., n, h, d]', describe(x!));
    }
    const [rows, pairs] = matrix('rotary', 'cos', cos);
    const positions = x!.shape.at(-positionAxis)!;
    const dim = x!.shape.at(-1)!;
    if (rows !== positions || 2 * pairs > dim) {
      const expected = `${positions} positions and at most ${Math.floor(dim / 2)} pairs`;
      throw fail('rotary', 'the table does not fit x', expected, describe(cos!));
    }
    sameShape('rotary', 'sin', sin, cos!.shape);
    return [{ shape: x!.shape, dtype }];
  },
  /** Four products and two sums a pair. */
  flops([x, cos], { positionAxis }) {
    return (
      (6 * sizeOf(cos!.shape) * sizeOf(x!.shape)) / (x!.shape.at(-1)! * x!.shape.at(-positionAxis)! || 1)
    );
  },
};

export interface RotaryOptions extends OpOptions {
  /** Heads stand between positions and values: x is [..., n, h, d]. */
  headsInside?: boolean;
}

/**
 * Turns pairs of neighbouring values by an angle of their position (Su et al. 2021, arXiv 2104.09864):
 * `(a, b) -> (a cos - b sin, b cos + a sin)` for values 2 i and 2 i + 1, i < r / 2; what is behind the first r stays.
 *
 * @param x [..., n, d], or [..., n, h, d] with `headsInside`
 * @param cos [n, r / 2]: see `rotaryTables`
 * @param sin [n, r / 2]
 * @returns the shape of x
 */
export function rotary(x: Tensor, cos: Tensor, sin: Tensor, options: RotaryOptions = {}): Tensor {
  return runOp(rotarySpec, [x, cos, sin], { positionAxis: options.headsInside ? 3 : 2 }, options)[0]!;
}
