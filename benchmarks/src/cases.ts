import {
  add,
  type Backend,
  bytesPerElement,
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
  type Random,
  sizeOf,
  standardize,
  type Tensor,
  type TensorSpec,
  topK,
  triangularSolve,
} from '@fmri2image/core';
import { checks } from './checks.ts';
import { checkLayer, type Layer, layers } from './layers.ts';
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
  /** Why the backend does not run it, if so. */
  readonly refusal: string | undefined;
  dispose(): void;
}

interface Plan {
  inputs: HostOperand[];
  attributes: Record<string, unknown>;
  run(inputs: Tensor[]): Tensor[];
}

/** A plan of either kind, with its check. */
interface Checked {
  readonly inputs: readonly (HostOperand | undefined)[];
  readonly attributes: Readonly<Record<string, unknown>>;
  run(inputs: readonly (Tensor | undefined)[], backend: Backend): Tensor[];
  check(outputs: HostArray[], random: Random): number | Promise<number>;
}

function layerPlan(layer: Layer, shape: BenchShape): Checked & { readonly units: number } {
  return { ...layer, check: (outputs, random) => checkLayer(layer, shape, outputs, random) };
}

function matrixPlan(shape: BenchShape, make: Make): Checked {
  const plan = plans[shape.op]!(shape.extents, make);
  return {
    ...plan,
    run: (inputs) => plan.run(inputs as Tensor[]),
    check: (outputs, random) => checks[shape.op]!(shape, plan.inputs, outputs, random),
  };
}

export interface HostOperand {
  data: Float32Array | Float64Array;
  shape: number[];
  /** Bits of the same values in half precision, to upload instead. */
  half?: { readonly dtype: 'f16' | 'bf16'; readonly bits: Uint16Array };
}

/** Operands of a shape and the op on them; `units` (of layers alone) as in `Layer`. */
export function planOf(shape: BenchShape, make: Make): Checked & { readonly units?: number } {
  const layer = layers[shape.op]?.(shape, make);
  return layer ? layerPlan(layer, shape) : matrixPlan(shape, make);
}

/** Puts random operands of a shape on the backend. */
export function prepareCase(shape: BenchShape, backend: Backend, seed: number): BenchCase {
  const plan = planOf(shape, operandMaker(shape, seed));
  const inputs = plan.inputs.map((operand) => operand && upload(operand, backend));
  const spec = ops.get(shape.op)!;
  const attributes = plan.attributes as never;
  const outputs = spec.infer(inputs, attributes);
  const supported = backend.supports(spec, inputs, attributes);
  const bytesOf = (operand: TensorSpec | undefined) =>
    operand ? sizeOf(operand.shape) * bytesPerElement(operand.dtype) : 0;
  return {
    run: () => plan.run(inputs, backend),
    async check() {
      const tensors = plan.run(inputs, backend);
      const host: HostArray[] = [];
      for (const tensor of tensors) host.push(await tensor.download());
      for (const tensor of tensors) tensor.dispose();
      return plan.check(host, createRandom(seed + 1));
    },
    flops: spec.flops(inputs, attributes),
    bytes: [...inputs, ...outputs].reduce((sum, operand) => sum + bytesOf(operand), 0),
    refusal: supported === true ? undefined : supported,
    dispose() {
      for (const input of inputs) input?.dispose();
    },
  };
}

function upload({ data, shape, half }: HostOperand, backend: Backend): Tensor {
  return half ? backend.tensor(half.bits, shape, half.dtype) : backend.tensor(data, shape);
}

export interface Make {
  normal(...shape: number[]): HostOperand;
  /** The same, exact in bfloat16 and uploaded so. */
  brief(...shape: number[]): HostOperand;
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
  const brief = (...shape: number[]) => {
    const { data } = normal(...shape);
    // The upper half of a float32 is a bfloat16.
    const words = new Uint32Array(Float32Array.from(data).buffer);
    const bits = Uint16Array.from(words, (word) => word >>> 16);
    const exact = new Float32Array(words.map((word) => word & 0xffff0000).buffer);
    return { data: exact, shape, half: { dtype: 'bf16' as const, bits } };
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
  return { normal, brief, definite, triangular };
}

type PlanMaker = (extents: Readonly<Record<string, number>>, make: Make) => Plan;

const plans: Record<string, PlanMaker> = {
  gemm: ({ m = 0, n = 0, k = 0, batch }, make) => ({
    inputs: batch
      ? [make.normal(batch, m, k), make.normal(batch, k, n)]
      : [make.normal(m, k), make.normal(k, n)],
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
