import {
  type AttentionAttributes,
  type Attributes,
  attentionExtents,
  type BinaryKind,
  type FusedActivation,
  gemmBatch,
  type Operand,
  type Resize2dAttributes,
  type ResizeMode,
  type ResizeTaps,
  resizeTaps,
  type UnaryKind,
} from '@fmri2image/core';
import type { NativeOps } from './addon.ts';
import type { Arguments } from './arguments.ts';

/** An op as its encoder sees it: inputs in the order of its spec, absent ones undefined. */
export interface Encodable<A extends Attributes = Attributes> {
  readonly inputs: readonly (Operand | undefined)[];
  readonly outputs: readonly Operand[];
  readonly attributes: A;
}

export type Encoder = (native: NativeOps, args: Arguments, call: Encodable) => void;

/** Kinds of `elementwise` by their number in `f2i.h`. */
const KINDS: Readonly<Record<BinaryKind | UnaryKind, number>> = {
  add: 0,
  sub: 1,
  mul: 2,
  div: 3,
  max: 4,
  min: 5,
  neg: 16,
  abs: 17,
  sqrt: 18,
  square: 19,
  exp: 20,
  log: 21,
};

/** Activations by their number in `f2i.h`. */
const ACTIVATIONS: Readonly<Record<FusedActivation, number>> = {
  none: 0,
  relu: 1,
  silu: 2,
  gelu_erf: 3,
  gelu_tanh: 4,
  gelu_quick: 5,
};

/**
 * One function an op, mirrored by `binding/ops.cc`: scalars and operands are packed in the order in which they
 * are read there.
 */
export const encoders: Readonly<Record<string, Encoder>> = {
  activation(native, args, { inputs: [x], outputs: [y], attributes: { kind } }) {
    args.scalars(ACTIVATIONS[kind as FusedActivation]).operands(x, y);
    native.activation();
  },

  adaptive_max_pool1d(native, args, { inputs: [x], outputs: [y] }) {
    args.operands(x, y);
    native.adaptiveMaxPool1d();
  },

  attention(native, args, { inputs, outputs: [y, lse], attributes }) {
    const [q, k, v, nullKey, nullValue, bias, mask] = inputs;
    const { layout, cosine, causal, scale } = attributes as AttentionAttributes;
    const { batch, heads, shared } = attentionExtents([q, k, v, nullKey], layout);
    const biasBatch = bias?.shape.length === 4;
    const biasHeads = bias !== undefined && bias.shape.at(-3) === heads;
    args
      .scalars(
        ...[layout === 'bnhd', cosine, causal, shared, biasBatch, biasHeads].map(Number),
        batch,
        heads,
        scale,
      )
      .operands(q, k, v, nullKey, nullValue, bias, mask, y, lse);
    native.attention();
  },

  cast(native, args, { inputs: [x], outputs: [y] }) {
    args.operands(x, y);
    native.cast();
  },

  cholesky_factor(native, args, { inputs: [a], outputs: [y], attributes: { shift } }) {
    args.scalars(Number(shift)).operands(a, y);
    native.choleskyFactor();
  },

  cholesky_solve(native, args, { inputs: [l, b], outputs: [y] }) {
    args.operands(l, b, y);
    native.choleskySolve();
  },

  column_stats(native, args, { inputs: [x], outputs: [mean, std], attributes: { ddof } }) {
    args.scalars(Number(ddof)).operands(x, mean, std);
    native.columnStats();
  },

  concat(native, args, { inputs, outputs: [y], attributes: { axis } }) {
    // Axes from `axis` on are columns.
    args
      .scalars(inputs.length)
      .operands(columnsFrom(y!, Number(axis)), ...inputs.map((x) => columnsFrom(x!, Number(axis))));
    native.concat();
  },

  conv2d(native, args, { inputs: [x, w, bias, residual], outputs: [y], attributes }) {
    const { activation, stride, top, bottom, left, right, groups } = attributes;
    const [batch = 0, channels = 0, height = 0] = x!.shape;
    const [, , kernelHeight = 0, kernelWidth = 0] = w!.shape;
    args
      .scalars(
        ACTIVATIONS[activation as FusedActivation],
        ...[batch, channels, height, kernelHeight, kernelWidth, stride, top, bottom, left, right, groups].map(
          Number,
        ),
      )
      .operands(x, columnsFrom(w!, 1), bias, residual && columnsFrom(residual, 2), columnsFrom(y!, 2));
    native.conv2d();
  },

  cosine_matrix(native, args, { inputs: [a, b], outputs: [y] }) {
    args.operands(a, b, y);
    native.cosineMatrix();
  },

  eigh(native, args, { inputs: [a], outputs: [values, vectors] }) {
    args.operands(a, values, vectors);
    native.eigh();
  },

  elementwise(native, args, { inputs: [a, b], outputs: [y], attributes: { kind, scalar } }) {
    args.scalars(KINDS[kind as BinaryKind | UnaryKind], Number(scalar)).operands(a, b, y);
    native.elementwise();
  },

  gated_activation(native, args, { inputs: [x], outputs: [y], attributes: { kind } }) {
    args.scalars(ACTIVATIONS[kind as FusedActivation]).operands(x, y);
    native.gatedActivation();
  },

  gather(native, args, { inputs: [x], outputs: [y], attributes: { rows, cols } }) {
    args.operands(x, y);
    native.gather(rows as Int32Array | undefined, cols as Int32Array | undefined);
  },

  gemm(native, args, { inputs: [a, b, c, bias], outputs: [y], attributes: { transA, transB, alpha, beta } }) {
    const { batch, sharedB } = gemmBatch([a, b]);
    if (batch === 0) return; // which would be one plane there
    args
      .scalars(Number(transA), Number(transB), Number(sharedB), batch, Number(alpha), Number(beta))
      .operands(a, b, c, bias, y);
    native.gemm();
  },

  gram(native, args, { inputs: [x], outputs: [y], attributes: { columns, alpha } }) {
    args.scalars(Number(columns), Number(alpha)).operands(x, y);
    native.gram();
  },

  group_norm(native, args, { inputs: [x, gain, bias], outputs: [y], attributes }) {
    const { activation, groups, eps } = attributes;
    args
      .scalars(ACTIVATIONS[activation as FusedActivation], x!.shape[1]!, Number(groups), Number(eps))
      .operands(columnsFrom(x!, 2), gain, bias, columnsFrom(y!, 2));
    native.groupNorm();
  },

  layer_norm(
    native,
    args,
    { inputs: [x, gain, bias], outputs: [y], attributes: { activation, stable, eps } },
  ) {
    args
      .scalars(ACTIVATIONS[activation as FusedActivation], Number(stable), Number(eps))
      .operands(x, gain, bias, y);
    native.layerNorm();
  },

  linear(
    native,
    args,
    { inputs: [x, bias, residual, ...weights], outputs: [y], attributes: { activation } },
  ) {
    args
      .scalars(ACTIVATIONS[activation as FusedActivation], weights.length)
      .operands(x, bias, residual, y, ...weights);
    native.linear();
  },

  pearson_columns(native, args, { inputs: [a, b], outputs: [y] }) {
    args.operands(a, b, y);
    native.pearsonColumns();
  },

  permute(native, args, { inputs: [x], outputs: [y], attributes: { axes } }) {
    const { shape } = x!;
    args
      .scalars(shape.length, ...shape, ...(axes as Int32Array))
      .operands(columnsFrom(x!, 0), columnsFrom(y!, 0));
    native.permute();
  },

  random_normal(native, args, { outputs: [y], attributes: { seedLow, seedHigh, offset } }) {
    args.scalars(Number(seedLow), Number(seedHigh), Number(offset)).operands(y);
    native.randomNormal();
  },

  relative_position_bias(native, args, { inputs: [table], outputs: [y], attributes: { buckets } }) {
    args.operands(table, columnsFrom(y!, 1));
    native.relativePositionBias(buckets as Int32Array);
  },

  resize2d(native, args, { inputs: [x], outputs: [y], attributes }) {
    const { height, width, mode, antialias } = attributes as Resize2dAttributes;
    const [h = 0, w = 0] = x!.shape.slice(-2);
    const rows = tapsOf(h, height, mode, antialias);
    const columns = tapsOf(w, width, mode, antialias);
    args.scalars(h).operands(x, y);
    native.resize2d(rows.first, rows.weights, columns.first, columns.weights);
  },

  rotary(native, args, { inputs: [x, cos, sin], outputs: [y], attributes: { positionAxis } }) {
    args.scalars(positionAxis === 3 ? x!.shape.at(-2)! : 1).operands(x, cos, sin, y);
    native.rotary();
  },

  slice(native, args, { inputs: [x], outputs: [y], attributes: { axis, start } }) {
    const inner = x!.shape.slice(Number(axis) + 1).reduce((size, extent) => size * extent, 1);
    args
      .scalars(Number(start) * inner)
      .operands(columnsFrom(x!, Number(axis)), columnsFrom(y!, Number(axis)));
    native.slice();
  },

  softmax(native, args, { inputs: [x], outputs: [y], attributes: { log } }) {
    args.scalars(Number(log)).operands(x, y);
    native.softmax();
  },

  standardize(native, args, { inputs: [x, mean, std], outputs: [y] }) {
    args.operands(x, mean, std, y);
    native.standardize();
  },

  top_k(native, args, { inputs: [x], outputs: [values, indices], attributes: { smallest } }) {
    args.scalars(Number(smallest)).operands(x, values, indices);
    native.topK();
  },

  triangular_solve(native, args, { inputs: [l, b], outputs: [y], attributes: { transpose } }) {
    args.scalars(Number(transpose)).operands(l, b, y);
    native.triangularSolve();
  },

  upsample_nearest(native, args, { inputs: [x], outputs: [y], attributes: { factor } }) {
    args.scalars(Number(factor)).operands(x, y);
    native.upsampleNearest();
  },
};

/** Taps of the sizes that were used last: making them may take as long as applying them. */
const taps = new Map<string, ResizeTaps>();
const MOST_TAPS = 32;

function tapsOf(from: number, to: number, mode: ResizeMode, antialias: boolean): ResizeTaps {
  const key = `${from} ${to} ${mode} ${antialias}`;
  const known = taps.get(key);
  if (known) return known;
  if (taps.size === MOST_TAPS) taps.clear();
  const made = resizeTaps(from, to, mode, antialias);
  taps.set(key, made);
  return made;
}

/** An operand as a matrix whose columns are its axes from `axis` on. */
function columnsFrom(operand: Operand, axis: number): Operand {
  const size = (extents: readonly number[]) => extents.reduce((product, extent) => product * extent, 1);
  return { ...operand, shape: [size(operand.shape.slice(0, axis)), size(operand.shape.slice(axis))] };
}
