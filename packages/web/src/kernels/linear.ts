import type { LinearAttributes } from '@fmri2image/core';
import type { KernelLimits } from '../limits.ts';
import type { Program } from '../queue/program.ts';
import { ACTIVATION_NUMBER, activateSource } from './activate.ts';
import { STORED, STORED_TYPES, type StoredType } from './half.ts';
import half from './half.wgsl';
import {
  type Encoder,
  type Kernel,
  type Matrix,
  part,
  pieces,
  stepOf,
  windowCapacity,
  windowOn,
  windowOnPart,
} from './kernel.ts';
import tiled from './linear.wgsl';
import common from './linear_common.wgsl';
import direct from './linear_direct.wgsl';
import thin from './linear_thin.wgsl';

/** A shader for each type of weights, and the entries that a workgroup of it computes. */
interface Form {
  readonly programs: Readonly<Record<StoredType, Program>>;
  readonly tile: { readonly m: number; readonly n: number };
}

function form(name: string, code: string, m: number, n: number, constants: Program['constants'] = {}): Form {
  const program = (stored: StoredType): Program => ({
    name: `${name} ${stored}`,
    code: activateSource + half + common + code,
    access: ['read', 'read', 'read', 'read', 'read_write'],
    constants: { ...constants, STORED: STORED[stored] },
  });
  return {
    programs: { f32: program('f32'), f16: program('f16'), bf16: program('bf16') },
    tile: { m, n },
  };
}

const DIRECT = form('linear_direct', direct, 32, 32);
/** Forms for up to as many rows as their tiles have, from the fewest. */
const TILED = [
  form('linear_thin', thin, 4, 32, { QUADS: 1 }),
  form('linear_thin', thin, 16, 32, { QUADS: 4 }),
  form('linear', tiled, 64, 64),
] as const;

function formFor({ avoidBarriers }: KernelLimits, rows: number): Form {
  if (avoidBarriers) return DIRECT;
  return TILED.find(({ tile }) => rows <= tile.m) ?? TILED.at(-1)!;
}

/** Operands of the columns of y that one weight makes. */
interface Layer {
  readonly x: Matrix;
  readonly w: Matrix;
  readonly bias: Matrix | undefined;
  readonly residual: Matrix | undefined;
  readonly y: Matrix;
}

export const linear: Kernel<LinearAttributes> = {
  programs: ({ avoidBarriers }) =>
    (avoidBarriers ? [DIRECT] : TILED).flatMap(({ programs }) => Object.values(programs)),
  dtypes: STORED_TYPES,
  encode({ inputs: [x, bias, residual, ...weights], outputs: [y], attributes }, encoder) {
    const [m, n] = [y!.rows, y!.cols];
    if (m === 0 || n === 0) return;
    let col = 0;
    for (const w of weights) {
      const columns = (of: Matrix) => part(of, 0, of.rows, col, w!.rows);
      const layer: Layer = {
        x: x!,
        w: w!,
        bias: bias && columns(bias),
        residual: residual && columns(residual),
        y: columns(y!),
      };
      if (w!.rows > 0) encodeLayer(encoder, layer, ACTIVATION_NUMBER[attributes.activation]);
      col += w!.rows;
    }
  },
};

function encodeLayer(encoder: Encoder, layer: Layer, activation: number): void {
  const { x, w, bias, residual, y } = layer;
  const [m, n, k] = [y.rows, y.cols, x.cols];
  const { programs, tile } = formFor(encoder.limits, m);
  const steps = stepsOf(encoder.limits, layer, tile);
  // Without terms there is nothing to bind of x and w.
  const nothing = k === 0 ? windowOn(encoder.scratch(1, 1), 0, 1) : undefined;
  for (const rows of pieces(m, steps.m)) {
    for (const cols of pieces(n, steps.n)) {
      const wy = windowOnPart(y, rows.start, rows.size, cols.start, cols.size);
      for (const depth of nothing ? [{ start: 0, size: 0 }] : pieces(k, steps.k)) {
        const wx = nothing ?? windowOnPart(x, rows.start, rows.size, depth.start, depth.size);
        const ww = nothing ?? windowOnPart(w, cols.start, cols.size, depth.start, depth.size);
        const finish = depth.start + depth.size === k;
        const wbias = finish && bias ? windowOn(bias, cols.start, cols.size) : undefined;
        const wresidual =
          finish && residual
            ? windowOnPart(residual, rows.start, rows.size, cols.start, cols.size)
            : undefined;
        encoder.dispatch(
          programs[w.dtype as StoredType],
          [wx, ww, wbias ?? wx, wresidual ?? wx, wy],
          [
            ...[rows.size, cols.size, depth.size],
            ...[wx.base, x.ld, ww.base, w.ld],
            ...[wbias?.base ?? 0, wresidual?.base ?? 0, wy.base, y.ld, activation],
            ...[Number(wbias !== undefined), Number(wresidual !== undefined)],
            ...[Number(depth.start > 0), Number(finish)],
          ],
          [Math.ceil(cols.size / tile.n), Math.ceil(rows.size / tile.m), 1],
          2 * Math.max(tile.m, rows.size) * cols.size * Math.max(1, depth.size),
        );
      }
    }
  }
}

/** Extents of a piece: its windows fit the bindings, its grid the dispatch limit, its work the time limit. */
function stepsOf(limits: KernelLimits, { x, w, y }: Layer, tile: Form['tile']) {
  const [m, n, k] = [y.rows, y.cols, x.cols];
  const capacity = windowCapacity(limits);
  const weights = windowCapacity(limits, w.dtype);
  // Rows of `ld` elements, the last of `length`, that a window holds.
  const rowsIn = (most: number, ld: number, length: number) =>
    Math.max(1, Math.floor((most - length) / Math.max(1, ld)) + 1);
  const stepK = Math.max(1, stepOf(k, capacity, 128));
  let stepN = stepOf(
    n,
    Math.min(limits.maxWorkgroups * tile.n, capacity, rowsIn(weights, w.ld, stepK)),
    tile.n,
  );
  let stepM = Math.min(
    limits.maxWorkgroups * tile.m,
    rowsIn(capacity, y.ld, stepN),
    rowsIn(capacity, x.ld, stepK),
  );
  // Splitting rows and columns changes no sum.
  const affordable = limits.maxDispatchFlops / (2 * stepK);
  stepM = stepOf(m, Math.min(stepM, Math.max(tile.m, affordable / stepN)), tile.m);
  stepN = stepOf(n, Math.min(stepN, Math.max(tile.n, affordable / stepM)), tile.n);
  return { m: stepM, n: stepN, k: stepK };
}
