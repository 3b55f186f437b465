import { type AttentionAttributes, type AttentionExtents, attentionExtents } from '@fmri2image/core';
import type { KernelLimits } from '../limits.ts';
import { f32Bits, type Program } from '../queue/program.ts';
import tiled from './attention.wgsl';
import common from './attention_common.wgsl';
import direct from './attention_direct.wgsl';
import normaliseSource from './attention_normalise.wgsl';
import bits from './bits.wgsl';
import exponential from './exponential.wgsl';
import grid from './grid.wgsl';
import {
  type Encoder,
  type Kernel,
  type KernelCall,
  linearGrid,
  type Matrix,
  part,
  pieces,
  rectangles,
  type Window,
  windowCapacity,
  windowOn,
} from './kernel.ts';

/** A shader, the queries that a workgroup of it serves, and the columns of the result that a dispatch can make. */
interface Form {
  readonly program: Program;
  readonly queries: number;
  readonly columns: number;
}

function form(name: string, code: string, queries: number, columns: number, chunks?: number): Form {
  const program: Program = {
    name,
    code: bits + exponential + common + code,
    access: ['read', 'read', 'read', 'read', 'read', 'read', 'read_write', 'read_write'],
    ...(chunks && { constants: { CHUNKS: chunks } }),
  };
  return { program, queries, columns };
}

const DIRECT = form('attention_direct', direct, 16, Infinity);
const TILED = [form('attention', tiled, 64, 64, 1), form('attention', tiled, 64, 128, 2)] as const;

function formFor({ avoidBarriers }: KernelLimits, valueDim: number): Form {
  if (avoidBarriers) return DIRECT;
  return TILED.find(({ columns }) => valueDim <= columns) ?? TILED.at(-1)!;
}

const normalise: Program = {
  name: 'attention_normalise',
  code: grid + normaliseSource,
  access: ['read', 'read_write'],
};

export const attention: Kernel<AttentionAttributes> = {
  programs: ({ avoidBarriers }) => [
    ...(avoidBarriers ? [DIRECT] : TILED).map(({ program }) => program),
    normalise,
  ],
  dtypes: ['f32', 'u8'],
  refuses([q, , v], _attributes, limits) {
    const longest = Math.max(q!.shape.at(-1)!, v!.shape.at(-1)!);
    const capacity = windowCapacity(limits);
    return longest <= capacity
      ? undefined
      : `heads are longer than the device's bindings (${capacity} elements)`;
  },
  encode(call, encoder) {
    const extents = extentsOf(call);
    const { batch, heads, queries } = extents;
    if (batch * heads * queries === 0) return;
    const operands = operandsOf(call, extents, encoder);
    const { items, rows, keys } = stepsOf(encoder.limits, operands, extents);
    for (const b of pieces(batch, items.batch)) {
      for (const h of pieces(heads, items.heads)) {
        for (const i of pieces(queries, rows)) {
          // A null key stands before the first piece; each further piece takes up what the last one has left.
          for (const j of extents.keys === 0 ? [{ start: 0, size: 0 }] : pieces(extents.keys, keys)) {
            encodeBlock(encoder, call.attributes, extents, operands, { b, h, i, j });
          }
        }
      }
    }
  },
};

function extentsOf({ inputs: [q, k, v, nullKey], attributes }: KernelCall<AttentionAttributes>) {
  const specs = [q, k, v, nullKey].map(
    (operand) => operand && { shape: operand.shape, dtype: 'f32' as const },
  );
  return attentionExtents(specs, attributes.layout);
}

/** An operand whose rows are told by item of the batch, head and query or key. */
interface Rows {
  readonly matrix: Matrix;
  /** Elements between two items, heads and rows; 0 for what they share. */
  readonly batch: number;
  readonly head: number;
  readonly row: number;
}

interface Operands {
  readonly q: Rows;
  readonly k: Rows;
  readonly v: Rows;
  readonly y: Rows;
  readonly lse: Rows;
  readonly bias: Rows | undefined;
  readonly mask: Rows | undefined;
  /** Null keys, then null values, in one buffer. */
  readonly nulls: Matrix;
  readonly nullKeyHead: number;
  readonly nullValueHead: number;
  readonly nullValue: number;
}

function operandsOf(
  { inputs, outputs: [y, lse], attributes }: KernelCall<AttentionAttributes>,
  { batch, heads, queries, keys, dim, valueDim, shared, nullKeys }: AttentionExtents,
  encoder: Encoder,
): Operands {
  const [q, k, v, nullKey, nullValue, bias, mask] = inputs;
  const direction = (x: Matrix) => (attributes.cosine ? normalised(encoder, x) : x);
  const shaped = (matrix: Matrix, count: number, length: number): Rows =>
    attributes.layout === 'bhnd'
      ? { matrix, batch: heads * count * length, head: count * length, row: length }
      : { matrix, batch: count * heads * length, head: length, row: heads * length };
  const keyed = (matrix: Matrix, length: number): Rows =>
    shared ? { matrix, batch: keys * length, head: 0, row: length } : shaped(matrix, keys, length);
  const all = keys + nullKeys;
  const biasHeads = bias?.shape.at(-3) === heads ? heads : 1;
  return {
    q: shaped(direction(q!), queries, dim),
    k: keyed(direction(k!), dim),
    v: keyed(v!, valueDim),
    y: shaped(y!, queries, valueDim),
    lse: {
      matrix: lse ?? encoder.scratch(batch * heads, queries),
      batch: heads * queries,
      head: queries,
      row: 1,
    },
    bias: bias && {
      matrix: bias,
      batch: bias.shape.length === 4 ? biasHeads * queries * all : 0,
      head: biasHeads > 1 ? queries * all : 0,
      row: all,
    },
    mask: mask && { matrix: mask, batch: keys, head: 0, row: 0 },
    ...nullsOf(encoder, nullKey && direction(nullKey), nullValue),
  };
}

/** Null keys and values behind each other, so that they are one binding. */
function nullsOf(encoder: Encoder, key: Matrix | undefined, value: Matrix | undefined) {
  const sizes = [key, value].map((x) => (x ? x.rows * x.cols : 0));
  const nulls = encoder.scratch(1, Math.max(1, sizes[0]! + sizes[1]!));
  if (key) encoder.copy(key, part(nulls, 0, 1, 0, sizes[0]!));
  if (value) encoder.copy(value, part(nulls, 0, 1, sizes[0]!, sizes[1]!));
  return {
    nulls,
    nullKeyHead: key && key.rows > 1 ? key.cols : 0,
    nullValueHead: value && value.rows > 1 ? value.cols : 0,
    nullValue: sizes[0]!,
  };
}

/** The rows of x over their norms. */
function normalised(encoder: Encoder, x: Matrix): Matrix {
  const y = encoder.scratch(x.rows, x.cols);
  for (const { row, rows, cols } of rectangles(x.rows, x.cols, x.ld, windowCapacity(encoder.limits))) {
    const wx = windowOn(x, row * x.cols, rows * cols);
    const wy = windowOn(y, row * x.cols, rows * cols);
    linearGrid(encoder.limits, rows, 64, (first, count, stride, groups) => {
      const params = [first, count, stride, cols, wx.base, wy.base];
      encoder.dispatch(normalise, [wx, wy], params, groups, 4 * count * cols);
    });
  }
  return y;
}

// ---- blocks -----------------------------------------------------------------------------------------------------

interface Range {
  readonly start: number;
  readonly size: number;
}

/** Items of the batch, heads, queries and keys of a dispatch. */
interface Block {
  readonly b: Range;
  readonly h: Range;
  readonly i: Range;
  readonly j: Range;
}

/** Elements from the first to the last of `rows` rows of `length`, of the items and heads of a block. */
function spanOf(
  { batch, head, row }: Rows,
  items: number,
  heads: number,
  rows: number,
  length: number,
): number {
  return (items - 1) * batch + (heads - 1) * head + (rows - 1) * row + length;
}

function windowOnBlock(x: Rows, { b, h }: Block, rows: Range, col: number, length: number): Window {
  const start = b.start * x.batch + h.start * x.head + rows.start * x.row + col;
  return windowOn(x.matrix, start, spanOf(x, b.size, h.size, rows.size, length));
}

function encodeBlock(
  encoder: Encoder,
  attributes: AttentionAttributes,
  extents: AttentionExtents,
  operands: Operands,
  block: Block,
): void {
  const { b, h, i, j } = block;
  const { queries, keys, dim, valueDim, nullKeys } = extents;
  const { q, k, v, y, lse, bias, mask, nulls } = operands;
  const { program, ...tile } = formFor(encoder.limits, valueDim);
  const wnulls = windowOn(nulls, 0, nulls.cols);
  const resume = j.start > 0;
  const withNull = nullKeys > 0 && !resume;
  // Behind a null key's bias come those of the keys.
  const skipped = withNull ? nullKeys : 0;
  const wbias = bias && windowOnBlock(bias, block, i, resume ? nullKeys + j.start : 0, skipped + j.size);
  const wmask =
    mask && windowOn(mask.matrix, b.start * keys + j.start, Math.max(1, (b.size - 1) * keys + j.size));
  const [wq, wk] = [
    dim > 0 ? windowOnBlock(q, block, i, 0, dim) : wnulls,
    dim > 0 && j.size > 0 ? windowOnBlock(k, block, j, 0, dim) : wnulls,
  ];
  const wlse = windowOnBlock(lse, block, i, 0, 1);
  const place = ({ base }: Window, { batch, head, row }: Rows, before = 0) => [
    base + before,
    batch,
    head,
    row,
  ];
  // Query i sees the first i + 1 + M - n of all M keys.
  const visible = i.start + 1 + keys - queries - j.start;
  const steps = attributes.causal ? [visible, visible + nullKeys + j.start, 1] : [j.size, 1, 0];
  for (const c of valueDim === 0 ? [{ start: 0, size: 0 }] : pieces(valueDim, tile.columns)) {
    const wv = c.size > 0 && j.size > 0 ? windowOnBlock(v, block, j, c.start, c.size) : wnulls;
    const wy = windowOnBlock(y, block, i, c.start, c.size);
    encoder.dispatch(
      program,
      [wq, wk, wv, wnulls, wbias ?? wnulls, wmask ?? wnulls, wy, wlse],
      [
        ...[i.size, j.size, dim, c.size],
        ...place(wq, q),
        ...place(wk, k),
        ...place(wv, v),
        ...place(wy, y),
        ...(wbias ? place(wbias, bias, skipped) : [0, 0, 0, 0]),
        ...place(wlse, lse),
        ...[h.start * operands.nullKeyHead, operands.nullKeyHead],
        ...[operands.nullValue + h.start * operands.nullValueHead + c.start, operands.nullValueHead],
        ...[wmask?.base ?? 0, keys, h.size, f32Bits(attributes.scale)],
        ...[Number(withNull), Number(wbias !== undefined), Number(wmask !== undefined)],
        ...[Number(resume), Number(c.start + c.size === valueDim), ...steps],
      ],
      [Math.ceil(i.size / tile.queries), b.size * h.size, 1],
      2 * b.size * h.size * i.size * Math.max(1, j.size) * (dim + c.size),
    );
  }
}

/**
 * Extents of a block: its windows fit the bindings, its grid the dispatch limit, its work the time limit. Of what is
 * too much, items of the batch go first, then heads, queries and at last keys, whose pieces depend on each other.
 */
function stepsOf(limits: KernelLimits, operands: Operands, extents: AttentionExtents) {
  const { q, k, v, y, lse, bias, mask } = operands;
  const { dim, valueDim, nullKeys } = extents;
  const tile = formFor(limits, valueDim);
  const capacity = windowCapacity(limits);
  let { batch, heads, queries, keys } = extents;
  const fits = () => {
    const spans = [
      spanOf(q, batch, heads, queries, dim),
      spanOf(y, batch, heads, queries, valueDim),
      spanOf(lse, batch, heads, queries, 1),
      spanOf(k, batch, heads, keys, dim),
      spanOf(v, batch, heads, keys, valueDim),
      bias ? spanOf(bias, batch, heads, queries, keys + nullKeys) : 0,
    ];
    const masked = mask ? (batch - 1) * mask.batch + keys : 0;
    return (
      Math.max(...spans) <= capacity &&
      masked <= windowCapacity(limits, 'u8') &&
      Math.ceil(queries / tile.queries) <= limits.maxWorkgroups &&
      batch * heads <= limits.maxWorkgroups
    );
  };
  const affordable = () =>
    2 * batch * heads * queries * keys * (dim + Math.min(valueDim, tile.columns)) <= limits.maxDispatchFlops;
  const half = (extent: number, multiple: number) =>
    extent > multiple ? Math.ceil(extent / 2 / multiple) * multiple : Math.ceil(extent / 2);
  while (!fits() || !affordable()) {
    if (batch > 1) batch = half(batch, 1);
    else if (heads > 1) heads = half(heads, 1);
    else if (queries > tile.queries) queries = half(queries, tile.queries);
    else if (fits()) break;
    else if (keys > 32) keys = half(keys, 32);
    else if (queries > 1) queries = half(queries, 1);
    else if (keys > 1) keys = half(keys, 1);
    else break;
  }
  return { items: { batch, heads }, rows: queries, keys };
}
