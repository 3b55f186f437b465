/**
 * Straightforward float32 kernels of the ops of networks: every intermediate result is rounded, and exponentials err
 * by as much as WGSL allows, 3 + 2 |x| units of the last place, alternately up and down.
 */
import { attentionExtents } from '../src/index.ts';
import type { ActivationKind, FusedActivation } from '../src/ops/activation.ts';
import type { AttentionAttributes } from '../src/ops/attention.ts';
import { visibleKeys } from '../src/ops/attention.ts';
import { resizeTaps } from '../src/ops/resize2d_taps.ts';
import type { ReferenceKernel, View } from '../src/reference/kernel.ts';
import { erf } from '../src/special.ts';

const f = Math.fround;

let up = false;
function exp(x: number): number {
  if (x === -Infinity) return 0;
  up = !up;
  return f(Math.exp(x) * (1 + (up ? 1 : -1) * (3 + 2 * Math.abs(x)) * 2 ** -23));
}

const functions: Readonly<Record<ActivationKind, (x: number) => number>> = {
  relu: (x) => Math.max(x, 0),
  silu: (x) => f(x / f(1 + exp(-x))),
  gelu_erf: (x) => f(f(0.5 * x) * f(1 + f(erf(f(x * f(Math.SQRT1_2)))))),
  gelu_tanh: (x) => {
    const inner = f(f(0.7978845608) * f(x + f(f(0.044715) * f(x * f(x * x)))));
    return f(x / f(1 + exp(f(-2 * inner))));
  },
  gelu_quick: (x) => f(x / f(1 + exp(f(f(-1.702) * x)))),
};

function activate(kind: FusedActivation, x: number): number {
  return kind === 'none' ? x : functions[kind](x);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum = f(sum + f(a[i]! * b[i]!));
  return sum;
}

export const activation: ReferenceKernel = ([x], [y], { kind }) => {
  y!.data.forEach((_, i) => {
    y!.data[i] = activate(kind as ActivationKind, x!.data[i]!);
  });
};

export const gatedActivation: ReferenceKernel = ([x], [y], { kind }) => {
  const half = y!.shape.at(-1)!;
  y!.data.forEach((_, index) => {
    const at = 2 * half * Math.floor(index / half) + (index % half);
    y!.data[index] = f(x!.data[at]! * activate(kind as ActivationKind, x!.data[at + half]!));
  });
};

export const linear: ReferenceKernel = ([x, bias, residual, ...weights], [y], { activation: kind }) => {
  const [k, n] = [x!.shape.at(-1)!, y!.shape.at(-1)!];
  const rows = weights.flatMap((w) =>
    Array.from({ length: w!.shape[0]! }, (_, i) => w!.data.subarray(i * k, (i + 1) * k)),
  );
  y!.data.forEach((_, index) => {
    const [row, j] = [Math.floor(index / n), index % n];
    let value = dot(x!.data.subarray(row * k, (row + 1) * k), rows[j]!);
    if (bias) value = f(value + bias.data[j]!);
    value = activate(kind as FusedActivation, value);
    y!.data[index] = residual ? f(value + residual.data[index]!) : value;
  });
};

/** Kernel positions first, channels within: another order of summation than the reference's. */
export const conv2d: ReferenceKernel = ([x, w, bias, residual], [y], attributes) => {
  const { stride, top, left, groups, activation: kind } = attributes as Record<string, number>;
  const [, channels = 0, height = 0, width = 0] = x!.shape;
  const [, taken = 0, kh = 0, kw = 0] = w!.shape;
  const [, outputs = 0, rows = 0, cols = 0] = y!.shape;
  y!.data.forEach((_, index) => {
    const j = index % cols;
    const i = Math.floor(index / cols) % rows;
    const o = Math.floor(index / (cols * rows)) % outputs;
    const b = Math.floor(index / (cols * rows * outputs));
    const first = Math.floor(o / (outputs / groups!)) * taken;
    let sum = 0;
    for (let tap = 0; tap < kh * kw; tap++) {
      const from = i * stride! + Math.floor(tap / kw) - top!;
      const at = j * stride! + (tap % kw) - left!;
      if (from < 0 || from >= height || at < 0 || at >= width) continue;
      for (let c = 0; c < taken; c++) {
        const pixel = x!.data[((b * channels + first + c) * height + from) * width + at]!;
        sum = f(sum + f(pixel * w!.data[(o * taken + c) * kh * kw + tap]!));
      }
    }
    if (bias) sum = f(sum + bias.data[o]!);
    const value = activate(kind as unknown as FusedActivation, sum);
    y!.data[index] = residual ? f(value + residual.data[index]!) : value;
  });
};

/** Two passes over each run of `size` values. */
function normalise(
  [x, gain, bias]: readonly (View | undefined)[],
  y: View,
  size: number,
  column: (index: number) => number,
  attributes: Readonly<Record<string, unknown>>,
): void {
  const { eps, stable, activation: kind } = attributes;
  for (let start = 0; start < x!.data.length; start += size) {
    let run = x!.data.slice(start, start + size);
    if (stable) {
      const largest = run.reduce((max, value) => Math.max(max, value), -Infinity);
      run = run.map((value) => f(value / largest));
    }
    const mean = f(run.reduce((sum, value) => f(sum + value), 0) / size);
    const squares = run.reduce((sum, value) => f(sum + f(f(value - mean) ** 2)), 0);
    const inverse = f(1 / f(Math.sqrt(f(f(squares / size) + f(eps as number)))));
    for (let i = 0; i < size; i++) {
      let value = f(f(run[i]! - mean) * inverse);
      if (gain) value = f(value * gain.data[column(start + i)]!);
      if (bias) value = f(value + bias.data[column(start + i)]!);
      y.data[start + i] = activate(kind as FusedActivation, value);
    }
  }
}

export const layerNorm: ReferenceKernel = (inputs, [y], attributes) => {
  const size = y!.shape.at(-1)!;
  normalise(inputs, y!, size, (index) => index % size, attributes);
};

export const groupNorm: ReferenceKernel = (inputs, [y], attributes) => {
  const [batch = 0, channels = 0] = y!.shape;
  const pixels = y!.data.length / (batch * channels);
  const size = (channels / (attributes.groups as number)) * pixels;
  normalise(inputs, y!, size, (index) => Math.floor(index / pixels) % channels, attributes);
};

/** Sum by halves, as long rows ask for: in one chain its error would grow with their length. */
function pairwise(values: Float64Array): number {
  if (values.length <= 8) return values.reduce((total, value) => f(total + value), 0);
  const middle = values.length >> 1;
  return f(pairwise(values.subarray(0, middle)) + pairwise(values.subarray(middle)));
}

export const softmax: ReferenceKernel = ([x], [y], { log }) => {
  const width = x!.shape.at(-1)!;
  for (let start = 0; start < x!.data.length; start += width) {
    const row = x!.data.subarray(start, start + width);
    const largest = row.reduce((max, value) => Math.max(max, value), -Infinity);
    const sum = pairwise(row.map((value) => exp(f(value - largest))));
    for (let j = 0; j < width; j++) {
      const difference = f(row[j]! - largest);
      y!.data[start + j] = log ? f(difference - f(Math.log(sum))) : f(exp(difference) / sum);
    }
  }
};

/** Online: one pass over the keys, what was summed is scaled down when a larger logit appears. */
export const attention: ReferenceKernel<AttentionAttributes> = (inputs, [y, lse], attributes) => {
  const [q, k, v, nullKey, nullValue, bias, mask] = inputs;
  const { layout, scale, cosine, causal } = attributes;
  const { batch, heads, queries, keys, dim, valueDim, nullKeys } = attentionExtents(inputs, layout);
  const rowOf = (view: View, count: number, length: number, b: number, h: number, i: number) => {
    const row = layout === 'bhnd' ? (b * heads + h) * count + i : (b * count + i) * heads + h;
    const place = view.shape.length === 3 ? b * count + i : row;
    return view.data.subarray(place * length, (place + 1) * length);
  };
  const unit = (vector: Float64Array) => {
    if (!cosine) return vector;
    const norm = Math.max(f(Math.sqrt(dot(vector, vector))), f(1e-12));
    return vector.map((value) => f(value / norm));
  };
  const nullOf = (view: View, h: number, length: number) =>
    view.shape.length === 2 ? view.data.subarray(h * length, (h + 1) * length) : view.data;
  const all = keys + nullKeys;
  for (let row = 0; row < batch * heads * queries; row++) {
    const [b, h, i] = [Math.floor(row / (heads * queries)), Math.floor(row / queries) % heads, row % queries];
    const query = unit(rowOf(q!, queries, dim, b, h, i));
    const sums = new Float64Array(valueDim);
    let [largest, total] = [-Infinity, 0];
    for (let j = 0; j < visibleKeys(i, queries, all, causal); j++) {
      const real = j - nullKeys;
      if (real >= 0 && mask?.data[b * keys + real] === 0) continue;
      const key = real < 0 ? nullOf(nullKey!, h, dim) : rowOf(k!, keys, dim, b, h, real);
      let logit = f(f(scale) * dot(query, unit(key)));
      if (bias) {
        const plane =
          (bias.shape.length === 4 ? b : 0) * bias.shape.at(-3)! + (bias.shape.at(-3) === 1 ? 0 : h);
        logit = f(logit + bias.data[(plane * queries + i) * all + j]!);
      }
      if (logit === -Infinity) continue;
      const highest = Math.max(largest, logit);
      const [shrink, weight] = [largest === highest ? 1 : exp(f(largest - highest)), exp(f(logit - highest))];
      const value = real < 0 ? nullOf(nullValue!, h, valueDim) : rowOf(v!, keys, valueDim, b, h, real);
      total = f(f(total * shrink) + weight);
      for (let c = 0; c < valueDim; c++) sums[c] = f(f(sums[c]! * shrink) + f(weight * value[c]!));
      largest = highest;
    }
    const target = rowOf(y!, queries, valueDim, b, h, i);
    sums.forEach((sum, c) => {
      target[c] = total === 0 ? 0 : f(sum / total);
    });
    if (lse) lse.data[row] = total === 0 ? -Infinity : f(largest + f(Math.log(total)));
  }
};

/** Columns first, each pass rounded, weights too. */
export const resize2d: ReferenceKernel = ([x], [y], { height, width, mode, antialias }) => {
  const [h = 0, w = 0] = x!.shape.slice(-2);
  const rows = resizeTaps(h, height as number, mode as 'bilinear', antialias as boolean);
  const cols = resizeTaps(w, width as number, mode as 'bilinear', antialias as boolean);
  y!.data.forEach((_, index) => {
    const picture = Math.floor(index / ((height as number) * (width as number)));
    const [i, j] = [Math.floor(index / (width as number)) % (height as number), index % (width as number)];
    let value = 0;
    for (let p = 0; p < rows.count; p++) {
      let inner = 0;
      const start = (picture * h + rows.first[i]! + p) * w + cols.first[j]!;
      if (rows.weights[i * rows.count + p] === 0) continue;
      for (let q = 0; q < cols.count; q++) {
        const weight = f(cols.weights[j * cols.count + q]!);
        if (weight !== 0) inner = f(inner + f(weight * x!.data[start + q]!));
      }
      value = f(value + f(f(rows.weights[i * rows.count + p]!) * inner));
    }
    y!.data[index] = value;
  });
};

export const rotary: ReferenceKernel = ([x, cos, sin], [y], { positionAxis }) => {
  const [dim, pairs] = [x!.shape.at(-1)!, cos!.shape[1]!];
  const heads = positionAxis === 3 ? x!.shape.at(-2)! : 1;
  const positions = cos!.shape[0]!;
  y!.data.set(x!.data);
  for (let row = 0; row * dim < x!.data.length; row++) {
    for (let pair = 0; pair < pairs; pair++) {
      const at = row * dim + 2 * pair;
      const entry = (Math.floor(row / heads) % positions) * pairs + pair;
      const [a, b, c, s] = [x!.data[at]!, x!.data[at + 1]!, cos!.data[entry]!, sin!.data[entry]!];
      y!.data[at] = f(f(a * c) - f(b * s));
      y!.data[at + 1] = f(f(b * c) + f(a * s));
    }
  }
};
