import {
  createRandom,
  type Design,
  type MatrixSource,
  type RecipeHead,
  type RunDesign,
} from '../../src/index.ts';

/** Random responses with a linear code of what is regressed on them. */
export interface SimulatedRidge {
  readonly x: Float64Array;
  readonly xTest: Float64Array;
  readonly y: Float64Array;
  readonly n: number;
  readonly m: number;
  readonly p: number;
  readonly t: number;
}

export function simulate(
  seed: number,
  [n, m, p, t]: readonly [number, number, number, number],
): SimulatedRidge {
  const random = createRandom(seed);
  const normals = (count: number) => Float64Array.from(random.normals(count), Math.fround);
  const [x, xTest, code] = [normals(n * p), normals(m * p), normals(p * t)];
  const noise = normals(n * t);
  const y = new Float64Array(n * t);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < t; k++) {
      let sum = 3 + k + noise[i * t + k]!;
      for (let j = 0; j < p; j++) sum += (x[i * p + j]! * code[j * t + k]!) / Math.sqrt(p);
      y[i * t + k] = Math.fround(sum);
    }
  }
  return { x, xTest, y, n, m, p, t };
}

export function designIn({ x, xTest, n, m, p }: SimulatedRidge): Design {
  const take = (values: Float64Array, rows: number, from: number, to: number) => {
    const block = new Float32Array(rows * (to - from));
    for (let i = 0; i < rows; i++) block.set(values.subarray(i * p + from, i * p + to), i * (to - from));
    return block;
  };
  return {
    train: n,
    test: m,
    voxels: p,
    ledger: [{ step: 'voxel mean and standard deviation', runs: ['1'], sawTest: 'no' }],
    async read(from, to) {
      return { train: take(x, n, from, to), test: take(xTest, m, from, to) };
    },
    statistics: (from, to) => ({
      mean: new Float32Array(to - from).fill(0.5),
      std: new Float32Array(to - from).fill(2),
    }),
  };
}

export function sourceIn(
  values: Float64Array,
  rows: number,
  shape: readonly number[],
  name = 'targets.npy',
): MatrixSource {
  const columns = values.length / rows;
  return {
    name,
    rows,
    columns,
    shape,
    async read(wanted, from, to) {
      const block = new Float32Array(wanted.length * (to - from));
      for (let i = 0; i < wanted.length; i++) {
        block.set(values.subarray(wanted[i]! * columns + from, wanted[i]! * columns + to), i * (to - from));
      }
      return block;
    },
  };
}

export const HEAD: RecipeHead & { shape: readonly number[] } = {
  name: 'vision',
  what: 'tokens',
  shape: [1],
  roi: 'all',
  average: 'none',
  alpha: 10,
  intercept: true,
  unitVoxels: false,
  unitTargets: false,
  renormalise: 'none',
};

export function runDesign(
  data: SimulatedRidge,
  heads: readonly Partial<RecipeHead>[],
  intercept = true,
): RunDesign {
  const rows = Int32Array.from({ length: data.n }, (_, i) => i);
  return {
    design: designIn(data),
    pictures: rows,
    intercept,
    heads: heads.map((head) => ({
      head: { ...HEAD, shape: [data.t], intercept, ...head } as never,
      targets: { source: sourceIn(data.y, data.n, [data.t]), train: rows },
    })),
  };
}

/** Ridge in float64 by Gaussian elimination on the p x p equations: an independent computation. */
export function solved(
  { x, xTest, y, n, m, p, t }: SimulatedRidge,
  alpha: number,
  intercept: boolean,
): { test: Float64Array; train: Float64Array; mean: Float64Array } {
  const center = (values: Float64Array, width: number) =>
    Float64Array.from({ length: width }, (_, j) => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += values[i * width + j]!;
      return intercept ? sum / n : 0;
    });
  const [cx, cy] = [center(x, p), center(y, t)];
  const a = Array.from({ length: p }, (_, i) =>
    Float64Array.from({ length: p + t }, (_, j) => {
      let sum = i === j ? alpha : 0;
      for (let k = 0; k < n; k++) {
        const left = x[k * p + i]! - cx[i]!;
        sum += left * (j < p ? x[k * p + j]! - cx[j]! : y[k * t + j - p]! - cy[j - p]!);
      }
      return sum;
    }),
  );
  for (let c = 0; c < p; c++) {
    for (let r = 0; r < p; r++) {
      if (r === c) continue;
      const factor = a[r]![c]! / a[c]![c]!;
      for (let k = c; k < p + t; k++) a[r]![k]! -= factor * a[c]![k]!;
    }
  }
  const predict = (rows: Float64Array, count: number) => {
    const result = new Float64Array(count * t);
    for (let i = 0; i < count; i++) {
      for (let k = 0; k < t; k++) {
        let sum = cy[k]!;
        for (let j = 0; j < p; j++) sum += ((rows[i * p + j]! - cx[j]!) * a[j]![p + k]!) / a[j]![j]!;
        result[i * t + k] = sum;
      }
    }
    return result;
  };
  return { test: predict(xTest, m), train: predict(x, n), mean: cy };
}
