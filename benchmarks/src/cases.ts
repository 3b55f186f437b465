import {
  add,
  type Backend,
  cast,
  choleskyFactor,
  choleskySolve,
  columnStats,
  cosineMatrix,
  createRandom,
  eigh,
  gather,
  gemm,
  gram,
  type HostArray,
  ops,
  pearsonColumns,
  standardize,
  type Tensor,
  type TensorSpec,
  topK,
  triangularSolve,
} from '@fmri2image/core';
import { checks } from './checks.ts';
import type { BenchShape } from './shape.ts';

/** An op with its operands on a backend, ready to be run again and again. */
export interface BenchCase {
  /** Enqueues the op once; the outputs are the caller's to dispose. */
  run(): Tensor[];
  /** Largest error of one run's outputs over what the type allows; at most 1 when right. */
  check(): Promise<number>;
  /** Floating-point operations of one run. */
  readonly flops: number;
  /** Bytes that one run must read and write at least. */
  readonly bytes: number;
  dispose(): void;
}

interface Plan {
  inputs: HostOperand[];
  attributes: Record<string, unknown>;
  run(inputs: Tensor[]): Tensor[];
}

export interface HostOperand {
  data: Float32Array | Float64Array;
  shape: number[];
}

/** Puts random operands of a shape on the backend. */
export function prepareCase(shape: BenchShape, backend: Backend, seed: number): BenchCase {
  const plan = plans[shape.op]!(shape.extents, operandMaker(shape, seed));
  const inputs = plan.inputs.map(({ data, shape: extents }) => backend.tensor(data, extents));
  const spec = ops.get(shape.op)!;
  const outputs = spec.infer(inputs, plan.attributes as never);
  const bytesOf = ({ shape: extents, dtype }: TensorSpec) =>
    extents.reduce((product, extent) => product * extent, 1) *
    ({ f64: 8, f16: 2, bf16: 2, u8: 1 }[dtype as string] ?? 4);
  return {
    run: () => plan.run(inputs),
    async check() {
      const tensors = plan.run(inputs);
      const host: HostArray[] = [];
      for (const tensor of tensors) host.push(await tensor.download());
      for (const tensor of tensors) tensor.dispose();
      return checks[shape.op]!(shape, plan.inputs, host, createRandom(seed + 1));
    },
    flops: spec.flops(inputs, plan.attributes as never),
    bytes: [...inputs, ...outputs].reduce((sum, operand) => sum + bytesOf(operand), 0),
    dispose() {
      for (const input of inputs) input.dispose();
    },
  };
}

interface Make {
  normal(...shape: number[]): HostOperand;
  /** Symmetric with a heavy diagonal: positive definite without a matrix product. */
  definite(n: number): HostOperand;
  /** Well-conditioned lower triangular. */
  triangular(n: number): HostOperand;
}

function operandMaker({ dtype }: BenchShape, seed: number): Make {
  const random = createRandom(seed);
  const floats = (length: number) => (dtype === 'f32' ? new Float32Array(length) : new Float64Array(length));
  const normal = (...shape: number[]) => {
    const data = floats(shape.reduce((a, b) => a * b, 1));
    // A block of normals repeated at shifting offsets would do for timing, but not for checking: draw them all.
    for (let i = 0; i < data.length; i++) data[i] = random.normal();
    return { data, shape };
  };
  const definite = (n: number) => {
    const { data, shape } = normal(n, n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < i; j++) data[j * n + i] = data[i * n + j]!;
      data[i * n + i] = 2 * n;
    }
    return { data, shape };
  };
  const triangular = (n: number) => {
    const { data, shape } = normal(n, n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) data[i * n + j] = j > i ? 0 : data[i * n + j]! / Math.sqrt(n);
      data[i * n + i] = 2;
    }
    return { data, shape };
  };
  return { normal, definite, triangular };
}

type PlanMaker = (extents: Readonly<Record<string, number>>, make: Make) => Plan;

const plans: Record<string, PlanMaker> = {
  gemm: ({ m = 0, n = 0, k = 0 }, make) => ({
    inputs: [make.normal(m, k), make.normal(k, n)],
    attributes: { transA: false, transB: false, alpha: 1, beta: 0 },
    run: ([a, b]) => [gemm(a!, b!)],
  }),
  gram: ({ n = 0, k = 0 }, make) => ({
    inputs: [make.normal(n, k)],
    attributes: { columns: false, alpha: 1 },
    run: ([x]) => [gram(x!)],
  }),
  cholesky_factor: ({ n = 0 }, make) => ({
    inputs: [make.definite(n)],
    attributes: { shift: 0 },
    run: ([a]) => [choleskyFactor(a!)],
  }),
  cholesky_solve: ({ n = 0, t = 0 }, make) => ({
    inputs: [make.triangular(n), make.normal(n, t)],
    attributes: {},
    run: ([l, b]) => [choleskySolve(l!, b!)],
  }),
  triangular_solve: ({ n = 0, t = 0 }, make) => ({
    inputs: [make.triangular(n), make.normal(n, t)],
    attributes: { transpose: false },
    run: ([l, b]) => [triangularSolve(l!, b!)],
  }),
  eigh: ({ n = 0 }, make) => ({
    inputs: [make.definite(n)],
    attributes: {},
    run: ([a]) => Object.values(eigh(a!)),
  }),
  column_stats: ({ n = 0, v = 0 }, make) => ({
    inputs: [make.normal(n, v)],
    attributes: { ddof: 0 },
    run: ([x]) => Object.values(columnStats(x!)),
  }),
  standardize: ({ n = 0, v = 0 }, make) => {
    const std = make.normal(v);
    std.data.forEach((value, i) => {
      std.data[i] = 0.5 + Math.abs(value);
    });
    return {
      inputs: [make.normal(n, v), make.normal(v), std],
      attributes: {},
      run: ([x, mean, deviation]) => [standardize(x!, { mean, std: deviation })],
    };
  },
  pearson_columns: ({ n = 0, t = 0 }, make) => ({
    inputs: [make.normal(n, t), make.normal(n, t)],
    attributes: {},
    run: ([a, b]) => [pearsonColumns(a!, b!)],
  }),
  cosine_matrix: ({ n = 0, m = 0, d = 0 }, make) => ({
    inputs: [make.normal(n, d), make.normal(m, d)],
    attributes: {},
    run: ([a, b]) => [cosineMatrix(a!, b!)],
  }),
  top_k: ({ n = 0, m = 0, k = 0 }, make) => ({
    inputs: [make.normal(n, m)],
    attributes: { k, smallest: false },
    run: ([x]) => Object.values(topK(x!, k)),
  }),
  elementwise: ({ n = 0, v = 0 }, make) => ({
    inputs: [make.normal(n, v), make.normal(n, v)],
    attributes: { kind: 'add', scalar: 0 },
    run: ([a, b]) => [add(a!, b!)],
  }),
  gather: ({ n = 0, v = 0, rows = 0 }, make) => {
    const index = gatherIndex(n, rows);
    return {
      inputs: [make.normal(n, v)],
      attributes: { rows: index, cols: undefined },
      run: ([x]) => [gather(x!, { rows: index })],
    };
  },
  cast: ({ n = 0, v = 0 }, make) => ({
    inputs: [make.normal(n, v)],
    attributes: { dtype: 'f16' },
    run: ([x]) => [cast(x!, 'f16')],
  }),
};

/** Scattered rows: every row's successor is far away. */
export function gatherIndex(n: number, rows: number): Int32Array {
  return Int32Array.from({ length: rows }, (_, i) => (i * 7919 + 13) % n);
}
