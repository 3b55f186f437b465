/** Straightforward float32 kernels: every intermediate result is rounded, as a simple CPU or GPU kernel would. */
import { colsOf, type ReferenceKernel, rowsOf, type View } from '../src/reference/kernel.ts';

const f = Math.fround;

export const gemm: ReferenceKernel = ([a, b, c, bias], [y], { transA, transB, alpha, beta }) => {
  const [m, n] = y!.shape.slice(-2) as [number, number];
  const k = a!.shape.at(transA ? -2 : -1)!;
  const batch = y!.shape.length === 3 ? y!.shape[0]! : 1;
  const bStep = b!.shape.length === 3 ? k * n : 0;
  const biasStep = bias?.shape.length === 2 ? n : 0;
  for (let i = 0; i < batch * m; i++) {
    const plane = Math.floor(i / m);
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++) {
        const left = a!.data[plane * m * k + (transA ? l * m + (i % m) : (i % m) * k + l)]!;
        const right = b!.data[plane * bStep + (transB ? j * k + l : l * n + j)]!;
        sum = f(sum + f(left * right));
      }
      let value = f(f(alpha as number) * sum);
      if (c && beta !== 0) value = f(value + f(f(beta as number) * c.data[i * n + j]!));
      if (bias) value = f(value + bias.data[plane * biasStep + j]!);
      y!.data[i * n + j] = value;
    }
  }
};

/** Welford's update. */
export const columnStats: ReferenceKernel = ([x], [mean, std], { ddof }) => {
  for (let j = 0; j < colsOf(x!); j++) {
    let centre = 0;
    let squares = 0;
    column(x!, j).forEach((value, i) => {
      const delta = f(value - centre);
      centre = f(centre + f(delta / (i + 1)));
      squares = f(squares + f(delta * f(value - centre)));
    });
    mean!.data[j] = centre;
    std!.data[j] = f(Math.sqrt(f(squares / (rowsOf(x!) - (ddof as number)))));
  }
};

/** sqrt(E x^2 - (E x)^2): what must not pass. */
export const textbookStats: ReferenceKernel = ([x], [mean, std], { ddof }) => {
  const n = rowsOf(x!);
  for (let j = 0; j < colsOf(x!); j++) {
    let sum = 0;
    let squares = 0;
    for (const value of column(x!, j)) {
      sum = f(sum + value);
      squares = f(squares + f(value * value));
    }
    mean!.data[j] = f(sum / n);
    const variance = Math.max(0, f(squares - f(f(sum * sum) / n))) / (n - (ddof as number));
    std!.data[j] = f(Math.sqrt(variance));
  }
};

export const pearson: ReferenceKernel = ([a, b], [y]) => {
  for (let j = 0; j < colsOf(a!); j++) {
    const p = centred(column(a!, j));
    const q = centred(column(b!, j));
    const norms = f(f(Math.sqrt(dot(p, p))) * f(Math.sqrt(dot(q, q))));
    y!.data[j] = norms === 0 ? 0 : f(dot(p, q) / norms);
  }
};

export const cosine: ReferenceKernel = ([a, b], [y]) => {
  const d = colsOf(a!);
  const row = (x: View, i: number) => Array.from(x.data.subarray(i * d, (i + 1) * d));
  for (let i = 0; i < rowsOf(a!); i++) {
    for (let j = 0; j < rowsOf(b!); j++) {
      const [p, q] = [row(a!, i), row(b!, j)];
      const norms = f(f(Math.sqrt(dot(p, p))) * f(Math.sqrt(dot(q, q))));
      y!.data[i * rowsOf(b!) + j] = norms === 0 ? 0 : f(dot(p, q) / norms);
    }
  }
};

function column(x: View, j: number): number[] {
  return Array.from({ length: rowsOf(x) }, (_, i) => x.data[i * colsOf(x) + j]!);
}

/** Differences from the mean, which is summed as differences from the first entry. */
function centred(values: number[]): number[] {
  const first = values[0]!;
  const sum = values.reduce((total, value) => f(total + f(value - first)), 0);
  const mean = f(first + f(sum / values.length));
  return values.map((value) => f(value - mean));
}

function dot(p: number[], q: number[]): number {
  return p.reduce((sum, value, i) => f(sum + f(value * q[i]!)), 0);
}
