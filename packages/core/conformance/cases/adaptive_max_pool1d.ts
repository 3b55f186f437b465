import {
  type AdaptiveMaxPool1dAttributes,
  adaptiveMaxPool1dSpec,
} from '../../src/ops/adaptive_max_pool1d.ts';
import { integers, normal, strewn, uniform } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';
import { exact } from '../tolerance.ts';

function pool(name: string, x: Operand, size: number): OpCase<AdaptiveMaxPool1dAttributes> {
  return { name: `${name} ${x.shape.join('x')} to ${size}`, inputs: [x], attributes: { size } };
}

const of = (...shape: number[]): Operand => ({ shape, fill: normal() });

export default suite<AdaptiveMaxPool1dAttributes>({
  op: adaptiveMaxPool1dSpec,
  check: exact,
  cases: [
    pool('fewer', of(3, 1000), 512),
    pool('windows that share values', of(5, 67), 41),
    pool('windows that divide', of(5, 64), 16),
    pool('more', of(3, 100), 131),
    pool('many more', of(3, 7), 257),
    pool('one', of(9, 333), 1),
    pool('as many', of(9, 33), 33),
    pool('one value', of(9, 1), 3),
    pool('a vector', of(263), 100),
    pool('three axes', of(2, 3, 47), 20),
    pool('negative values', { shape: [4, 50], fill: uniform(-9, -1) }, 21),
    pool('ties', { shape: [4, 50], fill: integers(-4, 4) }, 41),
    pool('long rows', of(2, 15724), 8192),
    pool('NaN reaches its windows', { shape: [4, 51], fill: strewn(normal(), NaN, 40) }, 21),
    pool('infinities', { shape: [4, 50], fill: strewn(normal(), -Infinity, 3) }, 40),
    pool('a view', { ...of(5, 29), within: [2, 1] }, 12),
    pool('no rows', of(0, 9), 4),
    {
      ...pool('no values', of(3, 0), 4),
      throws: { code: 'INVALID_ARGUMENT', message: /rows must have values/ },
    },
    {
      ...pool('nothing', of(3, 9), 0),
      throws: { code: 'INVALID_ARGUMENT', message: /size out of range/ },
    },
  ],
});
