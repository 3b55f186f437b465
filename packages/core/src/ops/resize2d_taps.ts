/** Weights of one axis of `resize2d`, made on the host in float64: every backend applies these. */

export const RESIZE_MODES = ['nearest', 'bilinear', 'bicubic', 'lanczos'] as const;
export type ResizeMode = (typeof RESIZE_MODES)[number];

/** For each output position, the input positions it is made of: `first[i]` and the `count - 1` that follow it. */
export interface ResizeTaps {
  /** Taps of each output position, some of which may have weight 0. */
  readonly count: number;
  /** First input position of each output position: `first[i] + count` never exceeds the input's extent. */
  readonly first: Int32Array;
  /** [outputs, count] row-major; each row sums to 1. */
  readonly weights: Float64Array;
}

/**
 * Without antialiasing: PyTorch's interpolation between pixel centres, positions beyond the border taken from it;
 * cubic convolution with a = -0.75. With it (and for `lanczos`, always): the filter is widened by the factor by which
 * the axis shrinks, taps beyond the border are left out and the rest rescaled, cubic with a = -0.5, as Pillow does.
 * `nearest` takes floor(i from / to), in float32 as PyTorch does.
 */
export function resizeTaps(from: number, to: number, mode: ResizeMode, antialias: boolean): ResizeTaps {
  const lists = Array.from({ length: to }, (_, i) => {
    if (mode === 'nearest') return nearest(from, to, i);
    if (antialias || mode === 'lanczos') return filtered(from, to, i, FILTERS[mode]);
    return mode === 'bilinear' ? linear(from, to, i) : cubic(from, to, i);
  });
  return packed(lists, from);
}

type Taps = Map<number, number>;

function nearest(from: number, to: number, i: number): Taps {
  const position = Math.floor(Math.fround(i * Math.fround(from / to)));
  return new Map([[Math.min(position, from - 1), 1]]);
}

function linear(from: number, to: number, i: number): Taps {
  const centre = Math.max(0, ((i + 0.5) * from) / to - 0.5);
  const below = Math.min(Math.floor(centre), from - 1);
  const taps: Taps = new Map();
  add(taps, below, 1 - (centre - below));
  add(taps, Math.min(below + 1, from - 1), centre - below);
  return taps;
}

function cubic(from: number, to: number, i: number): Taps {
  const centre = ((i + 0.5) * from) / to - 0.5;
  const below = Math.floor(centre);
  const taps: Taps = new Map();
  for (let j = below - 1; j <= below + 2; j++) {
    add(taps, Math.min(Math.max(j, 0), from - 1), convolution(centre - j, -0.75));
  }
  return taps;
}

interface Filter {
  /** Half of the filter's width at full size. */
  readonly support: number;
  weight(x: number): number;
}

const FILTERS: Readonly<Record<Exclude<ResizeMode, 'nearest'>, Filter>> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: (x) => convolution(x, -0.5) },
  lanczos: { support: 3, weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Taps of an output pixel that covers `from / to` input pixels, at least one. */
function filtered(from: number, to: number, i: number, { support, weight }: Filter): Taps {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const centre = (i + 0.5) * scale;
  const first = Math.max(0, Math.floor(centre - support * stretch + 0.5));
  const end = Math.min(from, Math.floor(centre + support * stretch + 0.5));
  const taps: Taps = new Map();
  for (let j = first; j < end; j++) taps.set(j, weight((j - centre + 0.5) / stretch));
  const sum = [...taps.values()].reduce((total, value) => total + value, 0);
  for (const [j, value] of taps) taps.set(j, value / sum);
  return taps;
}

/** The kernel of cubic convolution (Keys 1981, doi:10.1109/TASSP.1981.1163711). */
function convolution(x: number, a: number): number {
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function add(taps: Taps, position: number, weight: number): void {
  taps.set(position, (taps.get(position) ?? 0) + weight);
}

/** As many taps for each position as the widest needs, shifted inwards where the border is near. */
function packed(lists: readonly Taps[], from: number): ResizeTaps {
  const spans = lists.map((taps) => [Math.min(...taps.keys()), Math.max(...taps.keys())] as const);
  const count = spans.reduce((widest, [low, high]) => Math.max(widest, high - low + 1), 1);
  const first = Int32Array.from(spans, ([low]) => Math.min(low, from - count));
  const weights = new Float64Array(lists.length * count);
  for (const [i, taps] of lists.entries()) {
    for (const [position, weight] of taps) weights[i * count + position - first[i]!] = weight;
  }
  return { count, first, weights };
}
