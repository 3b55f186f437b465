import { type Resize2dAttributes, resize2dSpec } from '../../src/ops/resize2d.ts';
import { type Fill, normal, strewn, uniform } from '../fill.ts';
import { resizes } from '../layers.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

type Filter = Pick<Resize2dAttributes, 'mode' | 'antialias'>;
type Size = readonly [height: number, width: number];

function to(
  name: string,
  shape: readonly number[],
  [height, width]: Size,
  how: Partial<Filter> = {},
  extra: { fill?: Fill; within?: Operand['within'] } = {},
): OpCase<Resize2dAttributes> {
  const { fill = uniform(0, 1), within } = extra;
  const attributes = { mode: 'bilinear' as const, antialias: false, ...how, height, width };
  return {
    name: `${attributes.mode}${attributes.antialias ? ', antialias' : ''}: ${name} ${shape.join('x')} to ${height}x${width}`,
    inputs: [{ shape, fill, ...(within && { within }) }],
    attributes,
  };
}

const filters: readonly Partial<Filter>[] = [
  { mode: 'nearest' },
  { mode: 'bilinear' },
  { mode: 'bilinear', antialias: true },
  { mode: 'bicubic' },
  { mode: 'bicubic', antialias: true },
  { mode: 'lanczos', antialias: true },
];

const bad = (
  name: string,
  message: RegExp,
  shape: readonly number[],
  attributes: Partial<Pick<Resize2dAttributes, 'mode' | 'height'>> = {},
): OpCase<Resize2dAttributes> => ({
  name,
  inputs: [{ shape, fill: normal() }],
  attributes: { height: 5, width: 6, mode: 'bilinear', antialias: false, ...attributes },
  throws: { code: 'INVALID_ARGUMENT', message },
});

export default suite<Resize2dAttributes>({
  op: resize2dSpec,
  check: resizes,
  cases: [
    ...filters.flatMap((how) => [
      to('larger', [2, 3, 11, 13], [18, 22], how),
      to('smaller', [2, 3, 29, 31], [12, 13], how),
      to('much smaller', [1, 3, 67, 53], [5, 4], how),
      to('wider and lower', [3, 20, 9], [7, 31], how),
      to('the same size', [2, 9, 14], [9, 14], how),
      to('tiny pictures', [3, 2, 1], [7, 5], how),
      to('one pixel', [5, 13, 11], [1, 1], how),
      to('a view', [4, 9, 8], [5, 12], how, { within: [1, 2] }),
      to('large values of both signs', [2, 17, 9], [8, 21], how, { fill: normal(0, 1e4) }),
    ]),
    to('several blocks', [2, 150, 275], [131, 300], { mode: 'bicubic' }),
    to(
      'NaN reaches its neighbours only',
      [2, 15, 16],
      [20, 21],
      {},
      { fill: strewn(uniform(0, 1), NaN, 130) },
    ),
    to('wide', [2, 2, 150], [3, 140], { mode: 'nearest' }),
    to('no pictures', [0, 5, 7], [4, 9]),
    bad('no picture', /x is no picture/, [9]),
    bad('no pixels', /x is no picture/, [2, 0, 9]),
    bad('no such mode', /no such mode/, [5, 9], { mode: 'area' as 'nearest' }),
    bad('no size', /not a size of a picture/, [5, 9], { height: 0 }),
  ],
});
