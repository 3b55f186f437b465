import { type RandomNormalAttributes, randomNormalSpec } from '../../src/ops/random_normal.ts';
import { type Check, type OpCase, suite } from '../suite.ts';
import { compareEntries } from '../tolerance.ts';

/** Words are identical; normals of f32 to 1e-6, of f64 to what its logarithm and angle round. */
const draws: Check<RandomNormalAttributes> = ({ expected, actual }) => {
  const allowed = { f32: 1e-6, f64: 2e-14 } as Record<string, number>;
  return compareEntries('y', expected[0]!, actual[0]!, () => allowed[expected[0]!.dtype] ?? 0);
};

type Stream = Pick<RandomNormalAttributes, 'seedLow' | 'seedHigh' | 'offset' | 'shape'>;

/** Cases have no operand whose type could be the case's: each type is a case of its own. */
function draw(
  name: string,
  shape: readonly number[],
  given: Partial<Stream> = {},
): OpCase<RandomNormalAttributes>[] {
  return (['f32', 'f64', 'i32'] as const).map((dtype) => ({
    name: `${name} ${shape.join('x')}`,
    inputs: [],
    dtypes: [dtype],
    attributes: { seedLow: 1, seedHigh: 0, offset: 0, shape: Int32Array.from(shape), ...given, dtype },
  }));
}

const bad = (name: string, message: RegExp, given: Partial<Stream>): OpCase<RandomNormalAttributes> => ({
  ...draw(name, [3], given)[0]!,
  throws: { code: 'INVALID_ARGUMENT', message },
});

export default suite<RandomNormalAttributes>({
  op: randomNormalSpec,
  check: draws,
  cases: [
    ...draw('a matrix', [13, 29]),
    ...draw('five axes', [2, 3, 2, 3, 5]),
    ...draw('one number', []),
    ...draw('a seed of 64 bits', [263], { seedLow: 0xdeadbeef, seedHigh: 0xfeedface }),
    ...[1, 2, 3, 4].flatMap((offset) => draw(`an offset of ${offset}`, [5, 8], { offset })),
    ...draw('an offset beyond 32 bits', [101], { offset: 2 ** 34 - 50 }),
    ...draw('an offset near the end', [101], { offset: 2 ** 53 - 102 }),
    ...draw('many', [57, 263], { seedLow: 7 }),
    // The third word of the first block has 23 leading zeros or ones: the longest radius, and the logarithm nearest 0.
    ...draw('the smallest u', [9], { offset: 4 * 9686639 }),
    ...draw('the largest u', [9], { offset: 4 * 4732594 }),
    ...draw('an angle next to a quarter turn', [9], { offset: 4 * 177508 }),
    ...draw('nothing', [0, 5]),
    bad('a seed that is too large', /a seed is out of range/, { seedLow: 2 ** 32 }),
    bad('a negative seed', /a seed is out of range/, { seedHigh: -1 }),
    bad('a negative offset', /offset out of range/, { offset: -1 }),
    bad('an offset beyond the end', /offset out of range/, { offset: 2 ** 53 - 2 }),
    bad('a negative extent', /not a shape/, { shape: Int32Array.of(-1) }),
  ],
});
