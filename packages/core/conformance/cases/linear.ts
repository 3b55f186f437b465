import type { DType } from '../../src/dtype.ts';
import { ACTIVATION_KINDS } from '../../src/ops/activation.ts';
import { type LinearAttributes, linearSpec } from '../../src/ops/linear.ts';
import { type Fill, normal, strewn, uniform } from '../fill.ts';
import { fusedSums } from '../layers.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

interface Extra {
  activation?: LinearAttributes['activation'];
  bias?: boolean;
  residual?: boolean;
  /** Rows of each weight; one of all rows when absent. */
  shards?: readonly number[];
  /** Type of the weights, of a case on f32. */
  stored?: DType;
  fill?: Fill;
  within?: Operand['within'];
}

/** A layer of n outputs on x of the given shape. */
function layer(
  name: string,
  shape: readonly number[],
  n: number,
  extra: Extra = {},
): OpCase<LinearAttributes> {
  const { activation = 'none', shards = [n], fill = normal(), stored, within } = extra;
  const k = shape.at(-1)!;
  const place = within && { within };
  const optional = (given: boolean | undefined, of: readonly number[]): Operand | undefined =>
    given ? { shape: of, fill: normal(2) } : undefined;
  return {
    name: `${name} ${shape.join('x')} to ${n}`,
    inputs: [
      { shape, fill, ...place },
      optional(extra.bias, [n]),
      optional(extra.residual, [...shape.slice(0, -1), n]),
      ...shards.map((rows) => ({
        shape: [rows, k],
        fill: normal(),
        ...(stored && { dtype: stored }),
        ...place,
      })),
    ],
    attributes: { activation },
    ...(stored && { dtypes: ['f32' as const] }),
  };
}

const bad = (name: string, message: RegExp, inputs: OpCase['inputs']): OpCase<LinearAttributes> => ({
  name,
  inputs,
  attributes: { activation: 'none' },
  throws: { code: 'INVALID_ARGUMENT', message },
});

const of = (...shape: number[]): Operand => ({ shape, fill: normal() });
const halves: readonly DType[] = ['f16', 'bf16'];

export default suite<LinearAttributes>({
  op: linearSpec,
  check: fusedSums(2, ({ inputs }) => inputs[0]!.shape.at(-1)! + 2),
  cases: [
    layer('a row', [1, 33], 67),
    layer('one output', [67, 33], 1),
    layer('one input', [17, 1], 31),
    layer('odd', [13, 131], 29, { bias: true }),
    layer('three repeats of a trial', [3, 1039], 259, { bias: true }),
    layer('several blocks in every direction', [150, 530], 275, { bias: true }),
    layer('leading axes are rows', [2, 3, 5, 23], 19, { bias: true, residual: true }),
    layer('a vector', [47], 21, { bias: true }),
    ...ACTIVATION_KINDS.flatMap((activation) => [
      layer(`${activation},`, [11, 43], 37, { activation, bias: true }),
      layer(`${activation} and a residual,`, [9, 20], 18, { activation, residual: true }),
    ]),
    layer('a residual', [19, 37], 23, { residual: true }),
    layer('a residual and a bias', [35, 70], 18, { residual: true, bias: true }),
    layer('two shards', [21, 40], 50, { shards: [33, 17], bias: true }),
    layer('shards of one row and of none', [5, 29], 36, { shards: [1, 0, 34, 1], residual: true }),
    layer('shards of one output,', [4, 66], 3, { shards: [1, 1, 1], activation: 'silu' }),
    ...halves.flatMap((stored) => [
      layer(`${stored} weights`, [7, 45], 33, { stored, bias: true }),
      layer(`${stored} weights of an odd row`, [1, 131], 67, { stored }),
      layer(`${stored} weights, three repeats`, [3, 514], 261, {
        stored,
        bias: true,
        activation: 'gelu_erf',
      }),
      layer(`${stored} weights, several blocks`, [70, 531], 150, { stored, residual: true }),
      layer(`${stored} weights in shards`, [6, 37], 52, { stored, shards: [20, 31, 1] }),
      layer(`${stored} weights that are views`, [6, 37], 52, { stored, within: [3, 2] }),
    ]),
    layer('long sums of one sign', [9, 2039], 21, { fill: uniform(0.5, 1.5) }),
    layer('a cancelled offset', [20, 150], 18, { fill: normal(1000) }),
    layer('outliers', [18, 90], 25, { fill: strewn(normal(), 1e5, 71), bias: true }),
    layer('views', [23, 29], 38, { within: [3, 2], bias: true }),
    layer('NaN reaches its row only', [24, 30], 20, { fill: strewn(normal(), NaN, 217, 95) }),
    layer('no terms: the bias and the residual remain', [6, 0], 5, { bias: true, residual: true }),
    layer('no rows', [0, 4], 5, { bias: true }),
    layer('no outputs', [5, 4], 0),
    bad('inner extents differ', /weight 0 does not fit x/, [of(3, 4), undefined, undefined, of(5, 6)]),
    bad('a shard of another width', /weight 1 does not fit x/, [
      of(3, 4),
      undefined,
      undefined,
      of(5, 4),
      of(5, 3),
    ]),
    bad('no weight', /no weight/, [of(3, 4), undefined, undefined]),
    bad('a weight that is no matrix', /weight 0 must be a matrix/, [of(3, 4), undefined, undefined, of(4)]),
    bad('the bias has the wrong length', /bias has the wrong shape/, [of(3, 4), of(3), undefined, of(5, 4)]),
    bad('the residual has the wrong shape', /residual has the wrong shape/, [
      of(3, 4),
      undefined,
      of(5, 3),
      of(5, 4),
    ]),
    bad('weights of integers', /unsupported element type of weights/, [
      of(3, 4),
      undefined,
      undefined,
      { ...of(5, 4), dtype: 'i32' },
    ]),
    {
      ...bad('weights of two types', /weights must have one element type/, [
        of(3, 4),
        undefined,
        undefined,
        { ...of(5, 4), dtype: 'bf16' },
        { ...of(5, 4), dtype: 'f16' },
      ]),
      dtypes: ['f32'],
    },
    {
      ...bad('half precision with f64', /unsupported element type of weights for f64/, [
        of(3, 4),
        undefined,
        undefined,
        { ...of(5, 4), dtype: 'f16' },
      ]),
      dtypes: ['f64'],
    },
  ],
});
