import {
  type AttentionAttributes,
  type Attributes,
  attentionExtents,
  type BinaryKind,
  type FusedActivation,
  type Operand,
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
    args.scalars(Number(transA), Number(transB), Number(alpha), Number(beta)).operands(a, b, c, bias, y);
    native.gemm();
  },

  gram(native, args, { inputs: [x], outputs: [y], attributes: { columns, alpha } }) {
    args.scalars(Number(columns), Number(alpha)).operands(x, y);
    native.gram();
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
};
