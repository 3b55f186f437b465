import {
  BINARY_KINDS,
  type ElementwiseAttributes,
  elementwiseSpec,
  UNARY_KINDS,
} from '../../src/ops/elementwise.ts';
import { integers, normal, ramp, strewn, uniform, values } from '../fill.ts';
import { type OpCase, type Operand, type Outcome, suite } from '../suite.ts';
import { elementwise, unitRoundoff } from '../tolerance.ts';

type Kind = ElementwiseAttributes['kind'];

function apply(name: string, kind: Kind, a: Operand, b?: Operand | number): OpCase<ElementwiseAttributes> {
  const scalar = typeof b === 'number' ? b : 0;
  return {
    name: `${kind}: ${name}`,
    inputs: [a, typeof b === 'number' ? undefined : b],
    attributes: { kind, scalar },
  };
}

const of = (...shape: number[]): Operand => ({ shape, fill: normal(0.5, 3) });
const positive = (...shape: number[]): Operand => ({ shape, fill: uniform(0.01, 20) });
const whole = (...shape: number[]): Operand => ({
  shape,
  fill: integers(-(2 ** 31), 2 ** 31 - 1),
  dtype: 'i32',
});
/** Beyond the middle, so that neither max nor min returns it mostly. */
const between = (kind: Kind) => (kind === 'max' ? -1.3 : 2.3);
const onI32 = (aCase: OpCase<ElementwiseAttributes>): OpCase<ElementwiseAttributes> => ({
  ...aCase,
  name: `${aCase.name}, i32`,
  dtypes: ['i32'],
});

/** exp may err by 3 + 2 |x| ulps and log by 3 (near 1 by 2^-21, absolutely) in WGSL; on f64 they get the usual 4. */
function ulps({ attributes, inputs, expected }: Outcome<ElementwiseAttributes>, i: number): number {
  const x = inputs[0]!.data[i]!;
  const { dtype } = inputs[0]!;
  if (dtype !== 'f32') return 4;
  if (attributes.kind === 'exp') return 4 + 2 * Math.abs(x);
  if (attributes.kind === 'log' && x >= 0.5 && x <= 2 && x !== 1) {
    return Math.max(4, 2 ** -21 / Math.abs(expected[0]!.data[i]!) / (2 * unitRoundoff(dtype)));
  }
  return 4;
}

const specials = (kind: Kind) => {
  const fill = strewn(strewn(strewn(normal(), NaN, 9, 2), Infinity, 9, 4), -Infinity, 9, 6);
  return apply(
    'NaN and infinities',
    kind,
    { shape: [11, 14], fill },
    { shape: [11, 14], fill: strewn(normal(), NaN, 11) },
  );
};

export default suite<ElementwiseAttributes>({
  op: elementwiseSpec,
  check: elementwise(ulps),
  cases: [
    ...BINARY_KINDS.flatMap((kind) => [
      apply('same shape', kind, of(13, 29), of(13, 29)),
      apply('a row', kind, of(13, 29), of(1, 29)),
      apply('a vector', kind, of(13, 29), of(29)),
      apply('a column', kind, of(13, 29), of(13, 1)),
      apply('one number as a tensor', kind, of(13, 29), { shape: [1, 1], fill: values(between(kind)) }),
      apply('a scalar', kind, of(13, 29), between(kind)),
    ]),
    ...UNARY_KINDS.map((kind) => apply('an odd matrix', kind, positive(17, 31))),
    ...UNARY_KINDS.filter((kind) => kind !== 'sqrt' && kind !== 'log').map((kind) =>
      apply('both signs', kind, of(17, 31)),
    ),
    apply('three axes with a vector', 'mul', of(3, 5, 7), of(7)),
    apply('three axes with a column for all rows', 'sub', of(3, 5, 7), of(15, 1)),
    apply('a vector and a vector', 'add', of(257), of(257)),
    apply('one number and a scalar', 'mul', of(1, 1), -2.5),
    apply('no elements', 'add', of(0, 5), of(5)),
    apply('views', 'sub', { ...of(9, 14), within: [2, 1] }, { ...of(9, 14), within: [1, 3] }),
    apply('a row that is a view', 'add', of(9, 14), { ...of(1, 14), within: [2, 3] }),
    apply('negative numbers give NaN', 'sqrt', { shape: [9, 11], fill: strewn(uniform(1, 9), -1, 5) }),
    apply('zero and negative numbers', 'log', {
      shape: [9, 11],
      fill: strewn(strewn(uniform(3, 9), 0, 7), -1, 5),
    }),
    apply('near 1', 'log', { shape: [9, 21], fill: uniform(0.5, 2) }),
    apply('over and under the range', 'exp', {
      shape: [5, 20],
      fill: strewn(strewn(normal(), 1e4, 9), -1e4, 7),
    }),
    apply('large arguments', 'exp', { shape: [9, 21], fill: uniform(-80, 80) }),
    apply('by zero', 'div', of(9, 11), { shape: [9, 11], fill: strewn(uniform(1, 2), 0, 6) }),
    ...(['add', 'mul', 'max', 'min'] as const).map(specials),
    onI32(apply('wraps around', 'add', whole(9, 31), whole(9, 31))),
    onI32(apply('wraps around', 'sub', whole(9, 31), whole(1, 31))),
    onI32(apply('wraps around', 'mul', whole(9, 31), whole(9, 1))),
    onI32(apply('a scalar', 'mul', whole(9, 31), -7)),
    onI32(apply('full range', 'max', whole(9, 31), whole(9, 31))),
    onI32(apply('full range', 'min', whole(9, 31), whole(9, 31))),
    onI32(apply('full range', 'neg', whole(9, 31))),
    onI32(apply('full range', 'abs', whole(9, 31))),
    onI32(apply('wraps around', 'square', whole(9, 31))),
    {
      ...apply('more than 65,535 workgroups of 64', 'add', { shape: [2101, 2048], fill: ramp() }, 0.25),
      dtypes: ['f32'],
    },
    {
      ...onI32(apply('not on integers', 'div', whole(3, 4), whole(3, 4))),
      throws: { code: 'INVALID_ARGUMENT', message: /not defined on integers/ },
    },
    {
      ...onI32(apply('a fraction with integers', 'add', whole(3, 4), 0.5)),
      throws: { code: 'INVALID_ARGUMENT', message: /scalar must be an integer of 32 bits/ },
    },
    {
      ...apply('does not broadcast', 'add', of(3, 4), of(4, 3)),
      throws: { code: 'INVALID_ARGUMENT', message: /does not broadcast/ },
    },
    {
      ...apply('types differ', 'add', of(3, 4), whole(3, 4)),
      throws: { code: 'INVALID_ARGUMENT', message: /one element type/ },
    },
  ],
});
