import {
  type RelativePositionBiasAttributes,
  relativePositionBiasSpec,
} from '../../src/ops/relative_position_bias.ts';
import { normal, strewn } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';
import { exact } from '../tolerance.ts';

function look(
  name: string,
  table: Operand,
  [queries, keys]: readonly [number, number],
  step = 1,
): OpCase<RelativePositionBiasAttributes> {
  const buckets = Int32Array.from({ length: queries * keys }, (_, pair) => {
    const distance = Math.abs(Math.floor(pair / keys) - (pair % keys));
    return (distance * step) % table.shape[0]!;
  });
  return { name: `${name} ${queries}x${keys}`, inputs: [table], attributes: { buckets, queries, keys } };
}

const of = (...shape: number[]): Operand => ({ shape, fill: normal() });
const bad = (name: string, message: RegExp, buckets: number[]): OpCase<RelativePositionBiasAttributes> => ({
  name,
  inputs: [of(4, 3)],
  attributes: { buckets: Int32Array.from(buckets), queries: 2, keys: 2 },
  throws: { code: 'INVALID_ARGUMENT', message },
});

export default suite<RelativePositionBiasAttributes>({
  op: relativePositionBiasSpec,
  check: exact,
  cases: [
    look('odd', of(32, 6), [36, 37]),
    look('one head', of(32, 1), [19, 5], 5),
    look('many heads', of(7, 33), [5, 9], 3),
    look('one query', of(16, 3), [1, 77]),
    look('several blocks', of(32, 5), [130, 275], 7),
    look('a view', { ...of(9, 5), within: [2, 3] }, [8, 11], 2),
    look('NaN and infinities are copied', { shape: [9, 5], fill: strewn(normal(), NaN, 7) }, [8, 11], 2),
    look('no queries', of(9, 5), [0, 11]),
    bad('a bucket out of range', /a bucket is out of range/, [0, 1, 4, 0]),
    bad('a negative bucket', /a bucket is out of range/, [0, -1, 3, 0]),
    bad('too few buckets', /buckets do not fit/, [0, 1, 2]),
  ],
});
