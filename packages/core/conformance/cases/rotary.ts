import { type RotaryAttributes, rotarySpec } from '../../src/ops/rotary.ts';
import { type Fill, normal, strewn, uniform } from '../fill.ts';
import { rotations } from '../layers.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

function turn(
  name: string,
  shape: readonly number[],
  pairs: number,
  extra: { positionAxis?: number; fill?: Fill; within?: Operand['within'] } = {},
): OpCase<RotaryAttributes> {
  const { positionAxis = 2, fill = normal(0.3), within } = extra;
  const table: Operand = { shape: [shape.at(-positionAxis)!, pairs], fill: uniform(-1, 1) };
  return {
    name: `${name} ${shape.join('x')}, ${pairs} pairs`,
    inputs: [{ shape, fill, ...(within && { within }) }, table, table],
    attributes: { positionAxis },
  };
}

const bad = (
  name: string,
  message: RegExp,
  inputs: OpCase['inputs'],
  positionAxis = 2,
): OpCase<RotaryAttributes> => ({
  name,
  inputs,
  attributes: { positionAxis },
  throws: { code: 'INVALID_ARGUMENT', message },
});

const of = (...shape: number[]): Operand => ({ shape, fill: normal() });

export default suite<RotaryAttributes>({
  op: rotarySpec,
  check: rotations,
  cases: [
    turn('the prior of MindEye2', [2, 3, 33, 52], 16),
    turn('shared keys', [2, 33, 52], 16),
    turn('whole heads', [3, 17, 24], 12),
    turn('an odd head', [2, 3, 9, 37], 11),
    turn('one pair', [5, 19, 2], 1),
    turn('nothing to turn', [3, 7, 5], 0),
    turn('no leading axes', [23, 14], 5),
    turn('one position', [7, 1, 14], 5),
    turn('heads inside', [2, 13, 3, 20], 7, { positionAxis: 3 }),
    turn('heads inside, no leading axes', [13, 3, 21], 10, { positionAxis: 3 }),
    turn('outliers', [3, 11, 16], 4, { fill: strewn(normal(), 1e6, 37) }),
    turn('NaN reaches its pair', [3, 11, 16], 4, { fill: strewn(normal(), NaN, 53) }),
    turn('a view', [5, 9, 12], 3, { within: [1, 2] }),
    turn('no positions', [2, 0, 12], 3),
    bad('other positions', /the table does not fit/, [of(2, 5, 8), of(4, 2), of(4, 2)]),
    bad('more pairs than values', /the table does not fit/, [of(2, 5, 8), of(5, 5), of(5, 5)]),
    bad('sines unlike cosines', /sin has the wrong shape/, [of(2, 5, 8), of(5, 2), of(5, 3)]),
    bad('no heads inside', /no such axis of positions/, [of(5, 8), of(5, 2), of(5, 2)], 3),
  ],
});
