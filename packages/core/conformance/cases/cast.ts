import type { DType } from '../../src/dtype.ts';
import { type CastAttributes, castSpec } from '../../src/ops/cast.ts';
import { type Fill, integers, normal, strewn, uniform, values } from '../fill.ts';
import { type OpCase, suite } from '../suite.ts';
import { exact } from '../tolerance.ts';

const floats: readonly DType[] = ['f32', 'f64', 'f16', 'bf16'];
const every: readonly DType[] = [...floats, 'i32', 'u8'];

function convert(
  name: string,
  to: DType,
  from: readonly DType[],
  fill: Fill,
  shape = [9, 31],
): OpCase<CastAttributes> {
  return { name: `${name} to ${to}`, inputs: [{ shape, fill }], attributes: { dtype: to }, dtypes: from };
}

/** Half-way between neighbours of f16 and bf16, even and odd below, and what lies around the ends of the range. */
const halfway = values(
  ...[1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -11 + 2 ** -23],
  ...[65504, 65519.996, 65520, 2 ** -14, 2 ** -24, 2 ** -25, 1.5 * 2 ** -24, 2 ** -26],
  ...[-1 - 2 ** -11, -65520, -(2 ** -24), 2049, 2051, 0.1, -0.3],
);
/** Just beside those points in float64: rounding to f32 first would land on them and round the wrong way. */
const beside = values(
  ...[
    1 + 2 ** -11 + 2 ** -40,
    1 + 3 * 2 ** -11 - 2 ** -40,
    1 + 2 ** -8 + 2 ** -40,
    1 + 3 * 2 ** -8 - 2 ** -40,
  ],
  ...[-1 - 2 ** -11 - 2 ** -40, 65520 - 2 ** -30],
);
const awkward = strewn(strewn(strewn(normal(0, 40), NaN, 9, 2), Infinity, 9, 4), -Infinity, 9, 6);

export default suite<CastAttributes>({
  op: castSpec,
  check: exact,
  cases: [
    ...every.map((to) => convert('from every type', to, every, integers(0, 255))),
    ...floats.map((to) => convert('rounding', to, ['f32', 'f64'], normal(0, 30))),
    ...floats.map((to) => convert('wide range', to, ['f16', 'bf16', 'i32'], integers(-40_000, 40_000))),
    ...(['f16', 'bf16'] as const).map((to) => convert('ties to even', to, ['f32', 'f64'], halfway, [4, 5])),
    ...(['f16', 'bf16'] as const).map((to) => convert('rounded once', to, ['f64'], beside, [2, 3])),
    ...floats.map((to) => convert('NaN and infinities', to, floats, awkward)),
    ...(['i32', 'u8'] as const).map((to) => convert('truncation', to, ['f32', 'f64'], uniform(-100, 300))),
    convert('saturation', 'i32', ['f32', 'f64'], uniform(-4e9, 4e9)),
    convert('NaN gives 0', 'i32', ['f32', 'f64'], awkward),
    convert('infinities saturate', 'u8', ['f32', 'f64'], strewn(uniform(0, 255), Infinity, 5)),
    convert('saturation', 'u8', ['i32'], integers(-300, 600)),
    convert('integers beyond 2^24', 'f32', ['i32'], integers(-(2 ** 31), 2 ** 31 - 1)),
    {
      ...convert('a view', 'f64', ['f32'], normal()),
      inputs: [{ shape: [9, 7], fill: normal(), within: [3, 1] }],
    },
  ],
});
