import {
  type AttentionAttributes,
  type AttentionExtents,
  attentionExtents,
  visibleKeys,
} from '../ops/attention.ts';
import { dot, type ReferenceKernel, type View } from './kernel.ts';

type Inputs = readonly (View | undefined)[];

export const attention: ReferenceKernel<AttentionAttributes> = (inputs, [y, lse], attributes) => {
  const extents = attentionExtents(inputs, attributes.layout);
  const { batch, heads, queries, valueDim } = extents;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < queries; i++) {
        const logits = logitsOf(inputs, extents, attributes, b, h, i);
        const largest = Math.max(...logits);
        const weights = logits.map((logit) => (logit === -Infinity ? 0 : Math.exp(logit - largest)));
        const sum = weights.reduce((total, weight) => total + weight, 0);
        const row = placeOfQuery(extents, attributes, b, h, i) * valueDim;
        for (let c = 0; c < valueDim; c++) {
          let value = 0;
          for (const [j, weight] of weights.entries()) {
            if (weight !== 0) value += weight * valueRow(inputs, extents, attributes, b, h, j)[c]!;
          }
          y!.data[row + c] = sum === 0 ? 0 : value / sum;
        }
        if (lse) lse.data[(b * heads + h) * queries + i] = sum === 0 ? -Infinity : largest + Math.log(sum);
      }
    }
  }
};

/** Logits of a query with all keys, a null key first; -Infinity for those it does not see. */
export function logitsOf(
  inputs: Inputs,
  extents: AttentionExtents,
  attributes: AttentionAttributes,
  b: number,
  h: number,
  i: number,
): Float64Array {
  const [q, k, , nullKey, , bias, mask] = inputs;
  const { heads, queries, keys, dim, nullKeys } = extents;
  const { scale, cosine, causal } = attributes;
  const at = placeOfQuery(extents, attributes, b, h, i) * dim;
  const query = q!.data.subarray(at, at + dim);
  const all = keys + nullKeys;
  const visible = visibleKeys(i, queries, all, causal);
  return Float64Array.from({ length: all }, (_, j) => {
    const real = j - nullKeys;
    if (j >= visible || (real >= 0 && mask && mask.data[b * keys + real] === 0)) return -Infinity;
    const key = real < 0 ? nullRow(nullKey!, h, dim) : keyRow(k!, extents, attributes, b, h, real, dim);
    let product = dot(query, 0, key, 0, dim);
    if (cosine) product /= normOf(query) * normOf(key);
    let logit = scale * product;
    if (bias) {
      const biasHeads = bias.shape.at(-3)!;
      const biasBatch = bias.shape.length === 4 ? b : 0;
      const plane = biasBatch * biasHeads + (biasHeads === heads ? h : 0);
      logit += bias.data[(plane * queries + i) * all + j]!;
    }
    return logit;
  });
}

/** Value of key j, a null key first. */
export function valueRow(
  [, , v, , nullValue]: Inputs,
  extents: AttentionExtents,
  attributes: AttentionAttributes,
  b: number,
  h: number,
  j: number,
): Float64Array {
  const { nullKeys, valueDim } = extents;
  const real = j - nullKeys;
  return real < 0 ? nullRow(nullValue!, h, valueDim) : keyRow(v!, extents, attributes, b, h, real, valueDim);
}

/** Row of query i in q and y. */
export function placeOfQuery(
  { heads, queries }: AttentionExtents,
  { layout }: AttentionAttributes,
  b: number,
  h: number,
  i: number,
): number {
  return layout === 'bhnd' ? (b * heads + h) * queries + i : (b * queries + i) * heads + h;
}

function keyRow(
  view: View,
  { heads, keys, shared }: AttentionExtents,
  { layout }: AttentionAttributes,
  b: number,
  h: number,
  j: number,
  length: number,
): Float64Array {
  const own = layout === 'bhnd' ? (b * heads + h) * keys + j : (b * keys + j) * heads + h;
  const row = shared ? b * keys + j : own;
  return view.data.subarray(row * length, (row + 1) * length);
}

function nullRow(view: View, h: number, length: number): Float64Array {
  const row = view.shape.length === 2 ? h : 0;
  return view.data.subarray(row * length, (row + 1) * length);
}

/** The norm that a vector is divided by: as `torch.nn.functional.normalize` has it. */
function normOf(vector: Float64Array): number {
  return Math.max(Math.sqrt(dot(vector, 0, vector, 0, vector.length)), 1e-12);
}
