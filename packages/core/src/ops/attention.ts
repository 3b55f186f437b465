import { describe, type Tensor, type TensorSpec } from '../tensor.ts';
import { fail, type OpOptions, type OpSpec, runOp, sameFloat, sameShape } from './op.ts';

/** Order of the axes of q, of y, and of k and v where heads have their own. */
const ATTENTION_LAYOUTS = ['bhnd', 'bnhd'] as const;
export type AttentionLayout = (typeof ATTENTION_LAYOUTS)[number];

export interface AttentionAttributes {
  readonly [name: string]: number | boolean | string;
  readonly layout: AttentionLayout;
  readonly scale: number;
  readonly cosine: boolean;
  readonly causal: boolean;
  /** Returns the log-sum-exp of the logits as a second output. */
  readonly lse: boolean;
}

/** Extents of a call. */
export interface AttentionExtents {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  /** Keys without the null key. */
  readonly keys: number;
  readonly dim: number;
  /** Length of a value, and of a row of y. */
  readonly valueDim: number;
  /** k and v are one for all heads. */
  readonly shared: boolean;
  /** 1 with a null key, which stands before all others, else 0. */
  readonly nullKeys: 0 | 1;
}

/** Inputs: q, k, v, nullKey?, nullValue?, bias?, mask?. */
export const attentionSpec: OpSpec<AttentionAttributes> = {
  name: 'attention',
  family: 'reduction',
  infer([q, k, v, nullKey, nullValue, bias, mask], { layout, scale, lse }) {
    const dtype = sameFloat('attention', [q, k, v, nullKey, nullValue, bias]);
    if (!ATTENTION_LAYOUTS.includes(layout)) {
      throw fail('attention', 'no such layout', ATTENTION_LAYOUTS.join(' or '), layout);
    }
    if (!Number.isFinite(scale)) throw fail('attention', 'scale must be finite', 'a number', `${scale}`);
    if (Boolean(nullKey) !== Boolean(nullValue)) {
      const [given, found] = nullKey ? ['null value', 'a null key'] : ['null key', 'a null value'];
      throw fail(
        'attention',
        'a null key and its value belong together',
        `also a ${given}`,
        `${found} alone`,
      );
    }
    const { batch, heads, queries, keys, dim, valueDim, shared, nullKeys } = attentionExtents(
      [q, k, v, nullKey],
      layout,
    );
    const shaped = (count: number, last: number) =>
      layout === 'bhnd' ? [batch, heads, count, last] : [batch, count, heads, last];
    sameShape('attention', 'q', q, shaped(queries, dim));
    sameShape('attention', 'k', k, shared ? [batch, keys, dim] : shaped(keys, dim));
    sameShape('attention', 'v', v, shared ? [batch, keys, valueDim] : shaped(keys, valueDim));
    oneOf('nullKey', nullKey, [[dim], [heads, dim]]);
    oneOf('nullValue', nullValue, [[valueDim], [heads, valueDim]]);
    const all = keys + nullKeys;
    oneOf('bias', bias, [
      [heads, queries, all],
      [1, queries, all],
      [batch, heads, queries, all],
      [batch, 1, queries, all],
    ]);
    oneOf('mask', mask, [[batch, keys]]);
    if (mask && mask.dtype !== 'u8') throw fail('attention', 'mask has the wrong type', 'u8', mask.dtype);
    const y = { shape: shaped(queries, valueDim), dtype };
    return lse ? [y, { shape: [batch, heads, queries], dtype }] : [y];
  },
  /** Two products for every query and key that see each other. */
  flops([q, k, v, nullKey], { layout, causal }) {
    const { batch, heads, queries, keys, dim, valueDim, nullKeys } = attentionExtents(
      [q, k, v, nullKey],
      layout,
    );
    const all = keys + nullKeys;
    let pairs = queries * all;
    if (causal) {
      pairs = 0;
      for (let i = 0; i < queries; i++) pairs += visibleKeys(i, queries, all, true);
    }
    return 2 * batch * heads * pairs * (dim + valueDim);
  },
};

/**
 * How many of the first keys (a null key among them) query i sees: with `causal`, the last query sees all, the one
 * before it all but the last, and so on.
 */
export function visibleKeys(i: number, queries: number, allKeys: number, causal: boolean): number {
  return causal ? Math.max(0, Math.min(allKeys, i + 1 + allKeys - queries)) : allKeys;
}

/** Extents of a call from its operands q, k, v and nullKey?; checks ranks alone. */
export function attentionExtents(
  [q, k, v, nullKey]: readonly (TensorSpec | undefined)[],
  layout: AttentionLayout,
): AttentionExtents {
  if (q!.shape.length !== 4) throw fail('attention', 'q must have four axes', layout, describe(q!));
  const rank = k!.shape.length;
  if ((rank !== 3 && rank !== 4) || v!.shape.length !== rank) {
    const found = `${describe(k!)} and ${describe(v!)}`;
    throw fail(
      'attention',
      'k and v must have equally many axes',
      `${layout}, or [b, m, d] for all heads`,
      found,
    );
  }
  const [batch = 0, first = 0, second = 0, dim = 0] = q!.shape;
  const [heads, queries] = layout === 'bhnd' ? [first, second] : [second, first];
  const shared = rank === 3;
  const keys = k!.shape[shared || layout === 'bnhd' ? 1 : 2]!;
  return {
    batch,
    heads,
    queries,
    keys,
    dim,
    valueDim: v!.shape.at(-1)!,
    shared,
    nullKeys: nullKey ? 1 : 0,
  };
}

function oneOf(name: string, spec: TensorSpec | undefined, shapes: readonly (readonly number[])[]): void {
  if (!spec || shapes.some((shape) => `${shape}` === `${spec.shape}`)) return;
  const expected = shapes.map((shape) => `[${shape.join(', ')}]`).join(' or ');
  throw fail('attention', `${name} has the wrong shape`, expected, describe(spec));
}

export interface AttentionOptions extends OpOptions {
  /** Factor of the logits; 1 / sqrt(d) by default. */
  scale?: number;
  /** Queries and keys (the null key too) are divided by their norms first, at least 1e-12. */
  cosine?: boolean;
  /** Query i of n sees the first i + 1 + M - n of all M keys, a null key among them. */
  causal?: boolean;
  /** A key and its value that stand before all others, for all heads or each: [d] or [h, d]. */
  nullKey?: Tensor | undefined;
  nullValue?: Tensor | undefined;
  /** Added to the logits: [h or 1, n, M] or [b, h or 1, n, M]; M counts the null key. -Infinity hides a key. */
  bias?: Tensor | undefined;
  /** Keys to see (1) and to pass over (0): [b, m], u8. The null key is always seen. */
  mask?: Tensor | undefined;
  /**
   * Order of axes. `bhnd` (the default): q [b, h, n, d]. `bnhd`: q [b, n, h, d], what `linear` gives when its last
   * axis is split into heads: no permutation is needed.
   */
  layout?: AttentionLayout;
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017, arXiv 1706.03762), `softmax(scale q kᵀ + bias) v` for every
 * head, without a matrix of n x m in memory. A query that sees no key gives zeros, its log-sum-exp -Infinity.
 *
 * @param q [b, h, n, d]: any d; heads before or behind the queries, see `layout`
 * @param k [b, h, m, d], or [b, m, d] shared by all heads
 * @param v like k; its last extent may differ
 * @returns [b, h, n, d] in the layout of q
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  return run(q, k, v, options, false)[0]!;
}

/** {@link attention} and, for each query, the natural logarithm of its sum of exponentials: [b, h, n]. */
export function attentionWithLse(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionOptions = {},
): { y: Tensor; lse: Tensor } {
  const [y, lse] = run(q, k, v, options, true);
  return { y: y!, lse: lse! };
}

function run(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions, lse: boolean): Tensor[] {
  const { cosine = false, causal = false, layout = 'bhnd', nullKey, nullValue, bias, mask } = options;
  const scale = options.scale ?? 1 / Math.sqrt(q.shape.at(-1) || 1);
  const inputs = [q, k, v, nullKey, nullValue, bias, mask];
  return runOp(attentionSpec, inputs, { layout, scale, cosine, causal, lse }, options);
}
