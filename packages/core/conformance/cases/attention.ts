import { type AttentionAttributes, attentionSpec } from '../../src/ops/attention.ts';
import { attentions } from '../attention.ts';
import { type Fill, integers, normal, strewn, uniform, values, zeroRows } from '../fill.ts';
import { type OpCase, type Operand, suite } from '../suite.ts';

/** Batch, heads, queries, keys, length of a head. */
type Extents = readonly [b: number, h: number, n: number, m: number, d: number];

interface Extra extends Partial<Pick<AttentionAttributes, 'layout' | 'scale' | 'cosine' | 'causal' | 'lse'>> {
  /** Length of a value where it is not that of a key. */
  valueDim?: number;
  /** Keys and values are one for all heads. */
  shared?: boolean;
  /** A null key and its value, one for all heads or each. */
  nulls?: 'all' | 'each';
  /** Extents of the bias but the last two. */
  bias?: readonly number[];
  biasFill?: Fill;
  mask?: Fill;
  fill?: Fill;
  keyFill?: Fill;
  within?: Operand['within'];
  constant?: string;
}

function attend(name: string, [b, h, n, m, d]: Extents, extra: Extra = {}): OpCase<AttentionAttributes> {
  const { layout = 'bhnd', scale = 1 / Math.sqrt(d), cosine = false, causal = false, lse = true } = extra;
  const { valueDim = d, fill = normal(), keyFill = fill, nulls, bias, mask, within, constant } = extra;
  const place = within && { within };
  const shaped = (count: number, last: number, shared = false) => {
    if (shared) return [b, count, last];
    return layout === 'bhnd' ? [b, h, count, last] : [b, count, h, last];
  };
  const null_ = (last: number): Operand | undefined =>
    nulls && { shape: nulls === 'each' ? [h, last] : [last], fill: normal() };
  const all = m + (nulls ? 1 : 0);
  return {
    name: `${name} ${b}x${h}x${n}x${m}x${d}`,
    inputs: [
      { shape: shaped(n, d), fill, ...place },
      { shape: shaped(m, d, extra.shared), fill: keyFill, ...place },
      { shape: shaped(m, valueDim, extra.shared), fill: normal(0.3), ...place },
      null_(d),
      null_(valueDim),
      bias && { shape: [...bias, n, all], fill: extra.biasFill ?? normal() },
      mask && { shape: [b, m], fill: mask, dtype: 'u8' },
    ],
    attributes: { layout, scale, cosine, causal, lse },
    ...(constant && { constant }),
  };
}

/** The prior of MindEye2: cosines, one key and value for all heads, a null key, a bias a head. */
const prior: Extra = { scale: 16, cosine: true, shared: true, nulls: 'all' };
const plain: AttentionAttributes = { layout: 'bhnd', scale: 1, cosine: false, causal: false, lse: false };

const bad = (name: string, message: RegExp, inputs: OpCase['inputs']): OpCase<AttentionAttributes> => ({
  name,
  inputs: [...inputs, ...Array<undefined>(7 - inputs.length).fill(undefined)],
  attributes: plain,
  throws: { code: 'INVALID_ARGUMENT', message },
});

const of = (...shape: number[]): Operand => ({ shape, fill: normal() });
const [q, k] = [of(2, 3, 5, 4), of(2, 3, 6, 4)];

export default suite<AttentionAttributes>({
  op: attentionSpec,
  check: attentions,
  cases: [
    ...[1, 2, 37, 40, 52, 64, 80, 133].map((d) => attend('a head of this length', [2, 3, 13, 17, d])),
    attend('a head of 512', [1, 1, 33, 35, 512]),
    attend('without the log-sum-exp', [2, 2, 17, 19, 64], { lse: false }),
    attend('one query', [2, 3, 1, 41, 24]),
    attend('one key', [2, 3, 9, 1, 24]),
    attend('several blocks of keys', [1, 2, 21, 541, 40]),
    attend('several blocks of queries', [1, 2, 275, 67, 40]),
    attend('values longer than keys', [2, 2, 11, 13, 20], { valueDim: 37 }),
    attend('values shorter than keys', [1, 2, 11, 13, 37], { valueDim: 5, causal: true }),
    attend('heads inside', [2, 3, 13, 17, 40], { layout: 'bnhd' }),
    attend('heads inside, all options', [2, 3, 13, 17, 20], {
      ...{ layout: 'bnhd', scale: 5, cosine: true, causal: true, nulls: 'each' },
      ...{ bias: [3], mask: integers(0, 1) },
    }),
    attend('heads inside, shared keys', [2, 3, 13, 17, 20], { layout: 'bnhd', shared: true }),
    attend('shared keys and values', [2, 3, 13, 17, 52], { shared: true }),
    attend('cosines', [2, 2, 9, 14, 40], { cosine: true, scale: 16 }),
    attend('cosines of long vectors', [1, 2, 9, 14, 40], { cosine: true, scale: 16, fill: normal(0, 1e4) }),
    attend('cosines with zeros', [1, 2, 9, 14, 20], { cosine: true, scale: 16, fill: zeroRows(normal()) }),
    attend('the prior of MindEye2', [2, 3, 13, 13, 52], { ...prior, bias: [3] }),
    attend('the prior of MindEye2, several blocks', [1, 3, 150, 149, 52], { ...prior, bias: [3] }),
    attend('a null key', [2, 3, 11, 9, 37], { nulls: 'all' }),
    attend('a null key for each head', [2, 3, 11, 9, 37], { nulls: 'each' }),
    attend('a null key alone', [2, 3, 5, 0, 16], { nulls: 'each' }),
    attend('a bias a head', [2, 3, 13, 17, 24], { bias: [3] }),
    attend('one bias', [2, 3, 13, 17, 24], { bias: [1] }),
    attend('a bias a head and item', [2, 3, 13, 17, 24], { bias: [2, 3], nulls: 'all' }),
    attend('a bias an item', [2, 3, 13, 17, 24], { bias: [2, 1] }),
    attend('a bias that hides keys', [2, 3, 13, 18, 24], {
      bias: [3],
      biasFill: strewn(normal(), -Infinity, 3),
    }),
    attend('causal', [1, 2, 21, 21, 64], { causal: true }),
    attend('causal, more keys', [1, 2, 9, 14, 24], { causal: true }),
    attend('causal, more queries: the first see nothing', [1, 2, 14, 9, 24], { causal: true }),
    attend('causal, a null key', [2, 2, 12, 12, 24], { causal: true, nulls: 'all', bias: [2] }),
    attend('causal, more queries and a null key', [1, 2, 14, 10, 24], { causal: true, nulls: 'all' }),
    attend('causal, several blocks', [1, 2, 150, 163, 24], { causal: true }),
    attend('a mask', [3, 2, 11, 23, 24], { mask: integers(0, 1) }),
    attend('a mask with a null key', [3, 2, 11, 23, 24], {
      mask: integers(0, 1),
      nulls: 'all',
      causal: true,
    }),
    attend('a mask that leaves one item nothing', [3, 2, 7, 2, 12], { mask: values(1, 1, 0, 0, 0, 1) }),
    attend('a mask before the last block', [1, 2, 9, 300, 12], {
      mask: () => Float64Array.from({ length: 300 }, (_, j) => (j < 190 ? 0 : 1)),
    }),
    attend('large logits', [1, 2, 19, 31, 24], { scale: 30 }),
    attend('a negative scale', [1, 2, 19, 31, 24], { scale: -0.7 }),
    attend('a growing maximum', [1, 1, 9, 260, 8], {
      fill: uniform(0.5, 1.5),
      keyFill: (shape) =>
        Float64Array.from({ length: 260 * shape.at(-1)! }, (_, i) => Math.floor(i / 8) / 16),
    }),
    attend('an outlier among the keys', [1, 2, 19, 31, 24], { keyFill: strewn(normal(), 300, 311) }),
    attend('NaN reaches its query', [1, 2, 10, 12, 9], {
      fill: strewn(normal(), NaN, 80, 3),
      keyFill: normal(),
    }),
    attend('views', [3, 2, 5, 7, 12], { within: [2, 1] }),
    attend('no keys', [1, 2, 5, 0, 12], { constant: 'a query that sees nothing gives zeros' }),
    attend('no queries', [2, 2, 0, 7, 12]),
    attend('no items', [0, 2, 5, 7, 12]),
    bad('q of three axes', /q must have four axes/, [of(3, 5, 4), k, k]),
    bad('k and v of other ranks', /equally many axes/, [q, k, of(2, 6, 4)]),
    bad('another length of head', /k has the wrong shape/, [q, of(2, 3, 6, 5), k]),
    bad('another number of heads', /k has the wrong shape/, [q, of(2, 2, 6, 4), k]),
    bad('another number of values', /v has the wrong shape/, [q, k, of(2, 3, 7, 4)]),
    bad('a null key without a value', /belong together/, [q, k, k, of(4)]),
    bad('a null key of another length', /nullKey has the wrong shape/, [q, k, k, of(5), of(4)]),
    bad('a bias that forgets the null key', /bias has the wrong shape/, [q, k, k, of(4), of(4), of(3, 5, 6)]),
    bad('a bias of other heads', /bias has the wrong shape/, [q, k, k, undefined, undefined, of(2, 5, 6)]),
    bad('a mask of another length', /mask has the wrong shape/, [
      ...[q, k, k, undefined, undefined, undefined],
      { ...of(2, 5), dtype: 'u8' },
    ]),
    bad('a mask of floats', /mask has the wrong type/, [
      ...[q, k, k, undefined, undefined, undefined],
      of(2, 6),
    ]),
  ],
});
