import {
  activation,
  adaptiveMaxPool1d,
  attention,
  type Backend,
  concat,
  conv2d,
  createReferenceBackend,
  geglu,
  groupNorm,
  type HostArray,
  layerNorm,
  linear,
  permute,
  type Random,
  randomNormal,
  relativePositionBias,
  relativePositionBuckets,
  resize2d,
  rotary,
  rotaryFrequencies,
  rotaryTables,
  slice,
  softmax,
  swiglu,
  type Tensor,
  upsampleNearest,
} from '@fmri2image/core';
import type { HostOperand, Make } from './cases.ts';
import type { BenchShape } from './shape.ts';

/**
 * The ops of networks: their operands, and a part of the work that is small enough for the float64 reference, with
 * the place of its results in the whole.
 */
export interface Layer {
  readonly inputs: readonly (HostOperand | undefined)[];
  readonly attributes: Readonly<Record<string, unknown>>;
  run(inputs: readonly (Tensor | undefined)[], backend: Backend): Tensor[];
  part(random: Random): Part;
  /** Error that is allowed, in units of the last place of the largest result; 0 for exact. */
  readonly units: number;
}

interface Part {
  readonly inputs: readonly (HostOperand | undefined)[];
  run(inputs: readonly (Tensor | undefined)[], backend: Backend): Tensor[];
  /** Index in our result of each value of the part's. */
  place(index: number): number;
}

type LayerMaker = (shape: BenchShape, make: Make) => Layer;

/** Largest error of a part of one run's outputs over what is allowed; at most 1 when right. */
export async function checkLayer(
  layer: Layer,
  { dtype }: BenchShape,
  outputs: readonly HostArray[],
  random: Random,
): Promise<number> {
  const part = layer.part(random);
  const reference = createReferenceBackend();
  const [downloaded] = await reference.compute(() => {
    const tensors = part.inputs.map((operand) => operand && reference.tensor(operand.data, operand.shape));
    return [part.run(tensors, reference)[0]!];
  });
  await reference.dispose();
  const expected = Float64Array.from(downloaded as ArrayLike<number>);
  const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const allowed = layer.units * (dtype === 'f32' ? 2 ** -23 : 2 ** -52) * largest;
  let worst = 0;
  expected.forEach((value, index) => {
    const error = Math.abs(outputs[0]![part.place(index)]! - value);
    const over = error === 0 ? 0 : error / allowed;
    if (!(over <= worst)) worst = Number.isNaN(over) ? Number.POSITIVE_INFINITY : over;
  });
  return worst;
}

/** Rows [start, start + count) of an operand seen as a matrix of `cols`. */
function rowsOf(operand: HostOperand, start: number, count: number, shape: number[]): HostOperand {
  const cols = operand.data.length === 0 ? 0 : shape.reduce((a, b) => a * b, 1) / count;
  return { data: operand.data.slice(start * cols, (start + count) * cols), shape };
}

/** One op on rows: a few of them are the part. */
function onRows(x: HostOperand, outputCols: number, rest: readonly (HostOperand | undefined)[]) {
  const cols = x.shape.at(-1)!;
  const rows = x.data.length / cols;
  return (random: Random): Pick<Part, 'inputs' | 'place'> => {
    const start = random.integer(rows);
    return {
      inputs: [rowsOf(x, start, 1, [1, cols]), ...rest],
      place: (index) => start * outputCols + index,
    };
  };
}

/** An op that is checked whole. */
function whole(layer: Omit<Layer, 'part'>): Layer {
  const { inputs, run } = layer;
  return { ...layer, part: () => ({ inputs, run, place: (index) => index }) };
}

export const layers: Readonly<Record<string, LayerMaker>> = {
  linear({ extents, options }, make) {
    const { m = 0, n = 0, k = 0 } = extents;
    const kind = (options.activation ?? 'none') as 'none';
    const w = options.weights === 'bf16' ? make.brief(n, k) : make.normal(n, k);
    const bias = options.bias ? make.normal(n) : undefined;
    const residual = options.residual ? make.normal(m, n) : undefined;
    const x = make.normal(m, k);
    const run: Layer['run'] = ([a, b, r, weight]) => [
      linear(a!, weight!, { bias: b, residual: r, activation: kind }),
    ];
    const count = Math.min(n, 64);
    return {
      ...{ inputs: [x, bias, residual, w], attributes: { activation: kind }, run, units: 8 + Math.sqrt(k) },
      part(random) {
        const [i, j] = [random.integer(m), random.integer(n - count + 1)];
        const taken = (from: HostOperand | undefined, at: number, shape: number[]) =>
          from && { data: from.data.slice(at, at + count), shape };
        const inputs = [
          rowsOf(x, i, 1, [1, k]),
          taken(bias, j, [count]),
          taken(residual, i * n + j, [1, count]),
          rowsOf(w, j, count, [count, k]),
        ];
        return { inputs, run, place: (index) => i * n + j + index };
      },
    };
  },

  activation({ extents: { n = 0, v = 0 }, options }, make) {
    const x = make.normal(n, v);
    const kind = options.kind as 'silu';
    const run: Layer['run'] = ([a]) => [activation(a!, kind)];
    const part = onRows(x, v, []);
    return { inputs: [x], attributes: { kind }, run, units: 8, part: (random) => ({ ...part(random), run }) };
  },

  gated_activation({ extents: { n = 0, v = 0 }, options }, make) {
    const x = make.normal(n, v);
    const run: Layer['run'] = ([a]) => [options.kind === 'silu' ? swiglu(a!) : geglu(a!)];
    const part = onRows(x, v / 2, []);
    return {
      ...{ inputs: [x], attributes: { kind: options.kind }, run, units: 8 },
      part: (random) => ({ ...part(random), run }),
    };
  },

  layer_norm({ extents: { n = 0, c = 0 }, options }, make) {
    const x = make.normal(n, c);
    const factors = [options.gain ? make.normal(c) : undefined, options.bias ? make.normal(c) : undefined];
    const kind = (options.activation ?? 'none') as 'none';
    const run: Layer['run'] = ([a, gain, bias]) => [layerNorm(a!, { gain, bias, activation: kind })];
    const part = onRows(x, c, factors);
    const attributes = { eps: 1e-5, stable: false, activation: kind };
    return {
      inputs: [x, ...factors],
      attributes,
      run,
      units: 32,
      part: (random) => ({ ...part(random), run }),
    };
  },

  group_norm({ extents, options }, make) {
    const { b = 0, c = 0, h = 0, w = 0, groups = 1 } = extents;
    const [x, gain, bias] = [make.normal(b, c, h, w), make.normal(c), make.normal(c)];
    const kind = (options.activation ?? 'none') as 'none';
    const of =
      (count: number): Layer['run'] =>
      ([a, g, s]) => [groupNorm(a!, count, { gain: g, bias: s, activation: kind })];
    const each = c / groups;
    return {
      ...{
        inputs: [x, gain, bias],
        attributes: { groups, eps: 1e-5, activation: kind },
        run: of(groups),
        units: 64,
      },
      part(random) {
        const group = random.integer(b * groups);
        const first = (group % groups) * each;
        const factor = (from: HostOperand) => rowsOf(from, first, each, [each]);
        return {
          inputs: [rowsOf(x, group, 1, [1, each, h, w]), factor(gain), factor(bias)],
          run: of(1),
          place: (index) => group * each * h * w + index,
        };
      },
    };
  },

  softmax({ extents: { n = 0, m = 0 } }, make) {
    const x = make.normal(n, m);
    const run: Layer['run'] = ([a]) => [softmax(a!)];
    const part = onRows(x, m, []);
    return {
      inputs: [x],
      attributes: { log: false },
      run,
      units: 64,
      part: (random) => ({ ...part(random), run }),
    };
  },

  attention({ extents, options }, make) {
    const { b = 0, h = 0, n = 0, m = 0, d = 0 } = extents;
    const all = m + (options.nullKey ? 1 : 0);
    const kv = options.shared ? [b, m, d] : [b, h, m, d];
    const [q, k, v] = [make.normal(b, h, n, d), make.normal(...kv), make.normal(...kv)];
    const nulls = options.nullKey ? [make.normal(d), make.normal(d)] : [undefined, undefined];
    const bias = options.bias ? make.normal(h, n, all) : undefined;
    const cosine = options.cosine === true;
    const scale = cosine ? 16 : 1 / Math.sqrt(d);
    const run: Layer['run'] = ([query, key, value, nullKey, nullValue, added]) => [
      attention(query!, key!, value!, { scale, cosine, nullKey, nullValue, bias: added }),
    ];
    const attributes = { layout: 'bhnd', scale, cosine, causal: false, lse: false };
    return {
      ...{ inputs: [q, k, v, ...nulls, bias], attributes, run, units: 256 },
      part(random) {
        const row = random.integer(b * h * n);
        const head = Math.floor(row / n);
        const source = options.shared ? Math.floor(head / h) : head;
        const added = bias && rowsOf(bias, (head % h) * n + (row % n), 1, [1, 1, all]);
        const keys = [k, v].map((each) => rowsOf(each, source, 1, [1, 1, m, d]));
        return {
          inputs: [rowsOf(q, row, 1, [1, 1, 1, d]), ...keys, ...nulls, added],
          run,
          place: (index) => row * d + index,
        };
      },
    };
  },

  rotary({ extents: { b = 0, h = 0, n = 0, d = 0, pairs = 0 } }, make) {
    const tables = rotaryTables(n, rotaryFrequencies(2 * pairs));
    const [cos, sin] = [tables.cos, tables.sin].map((table) => ({
      data: Float32Array.from(table),
      shape: [n, pairs],
    }));
    return whole({
      inputs: [make.normal(b, h, n, d), cos, sin],
      attributes: { positionAxis: 2 },
      run: ([x, c, s]) => [rotary(x!, c!, s!)],
      units: 4,
    });
  },

  relative_position_bias({ extents: { n = 0, m = 0, h = 0 } }, make) {
    const where = relativePositionBuckets(n, m);
    const attributes = { ...where };
    return whole({
      inputs: [make.normal(32, h)],
      attributes,
      run: ([table]) => [relativePositionBias(table!, where)],
      units: 0,
    });
  },

  conv2d({ extents, options }, make) {
    const { b = 0, c = 0, h = 0, w = 0, o = 0, k = 1, stride = 1, padding = 0 } = extents;
    const [x, kernel] = [make.normal(b, c, h, w), make.normal(o, c, k, k)];
    const bias = options.bias ? make.normal(o) : undefined;
    const kind = (options.activation ?? 'none') as 'none';
    const run: Layer['run'] = ([a, weight, s]) => [
      conv2d(a!, weight!, { bias: s, stride, padding, activation: kind }),
    ];
    const sides = { top: padding, bottom: padding, left: padding, right: padding };
    const out = (side: number) => Math.floor((side + 2 * padding - k) / stride) + 1;
    return {
      ...{ inputs: [x, kernel, bias], attributes: { stride, ...sides, groups: 1, activation: kind }, run },
      units: 8 + Math.sqrt(c * k * k),
      part(random) {
        const [item, channel] = [random.integer(b), random.integer(o)];
        const own = (from: HostOperand, shape: number[]) => rowsOf(from, channel, 1, shape);
        return {
          inputs: [rowsOf(x, item, 1, [1, c, h, w]), own(kernel, [1, c, k, k]), bias && own(bias, [1])],
          run,
          place: (index) => (item * o + channel) * out(h) * out(w) + index,
        };
      },
    };
  },

  upsample_nearest({ extents: { b = 0, c = 0, h = 0, w = 0, factor = 1 } }, make) {
    return whole({
      inputs: [make.normal(b, c, h, w)],
      attributes: { factor },
      run: ([x]) => [upsampleNearest(x!, factor)],
      units: 0,
    });
  },

  resize2d({ extents: { b = 0, c = 0, h = 0, w = 0, toH = 1, toW = 1 }, options }, make) {
    const x = make.normal(b, c, h, w);
    const how = { mode: options.mode as 'bilinear', antialias: options.antialias === true };
    const run: Layer['run'] = ([a]) => [resize2d(a!, toH, toW, how)];
    return {
      ...{ inputs: [x], attributes: { height: toH, width: toW, ...how }, run, units: 16 },
      part(random) {
        const plane = random.integer(b * c);
        return { inputs: [rowsOf(x, plane, 1, [h, w])], run, place: (index) => plane * toH * toW + index };
      },
    };
  },

  adaptive_max_pool1d({ extents: { n = 0, v = 0, size = 1 } }, make) {
    const x = make.normal(n, v);
    const run: Layer['run'] = ([a]) => [adaptiveMaxPool1d(a!, size)];
    const part = onRows(x, size, []);
    return { inputs: [x], attributes: { size }, run, units: 0, part: (random) => ({ ...part(random), run }) };
  },

  random_normal({ dtype, extents: { n = 0, v = 0 } }) {
    const shape = [n, v];
    const attributes = { shape: Int32Array.from(shape), dtype, seedLow: 42, seedHigh: 0, offset: 0 };
    return whole({
      inputs: [],
      attributes,
      run: (_, backend) => [randomNormal(backend, shape, { seed: 42, dtype })],
      units: dtype === 'f32' ? 1.5 : 4,
    });
  },

  permute({ extents: { b = 0, n = 0, h = 0, d = 0 } }, make) {
    const axes = [0, 2, 1, 3];
    return whole({
      inputs: [make.normal(b, n, h, d)],
      attributes: { axes: Int32Array.from(axes) },
      run: ([x]) => [permute(x!, axes)],
      units: 0,
    });
  },

  concat({ extents: { b = 0, c = 0, d = 0, s = 0 } }, make) {
    return whole({
      inputs: [make.normal(b, c, s), make.normal(b, d, s)],
      attributes: { axis: 1 },
      run: ([x, y]) => [concat([x!, y!], 1)],
      units: 0,
    });
  },

  slice({ extents: { h = 0, n = 0, m = 0, start = 0 } }, make) {
    return whole({
      inputs: [make.normal(h, n, m)],
      attributes: { axis: 1, start, end: n },
      run: ([x]) => [slice(x!, 1, start, n)],
      units: 0,
    });
  },
};
