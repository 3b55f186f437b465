import {
  type Backend,
  bytesPerElement,
  type DType,
  type OpSpec,
  ops,
  sizeOf,
  type Tensor,
  type TensorSpec,
} from '@fmri2image/core';
import { type Draw, DryRecorder, operandOf, type Script } from '@fmri2image/node/recorder';
import { type HostOperand, type Make, planOf } from '../cases.ts';
import { type BenchShape, label } from '../shape.ts';

/** Shapes at which a GPU has something to do; those of `shapes/` are measured as well. */
const LARGE: readonly BenchShape[] = [
  gemmShape('f32', 8192, 8192, 8192, 'square, the usual yardstick of a GPU'),
  gemmShape('f32', 4096, 4096, 4096, 'square'),
  gemmShape('f32', 30000, 4096, 15724, 'voxels of all NSD trials to the tokens of a subject layer'),
  attentionShape(4, 16, 4096, 64, false, 'long sequences, head dimension 64'),
  attentionShape(4, 16, 4096, 128, false, 'long sequences, head dimension 128'),
  attentionShape(
    8,
    32,
    513,
    52,
    true,
    'eight trials through the prior of MindEye2: head dimension 52, a bias',
  ),
  matrixShape('elementwise', { n: 16000, v: 16384 }, 'bound by memory, larger than any cache'),
  matrixShape('column_stats', { n: 30000, v: 15724 }, 'z-scoring the voxels of NSD subject 1'),
  matrixShape('standardize', { n: 30000, v: 15724 }, 'the same, applied'),
  matrixShape('softmax', { n: 65536, m: 4096 }, 'bound by memory'),
  matrixShape('cholesky_solve', { n: 8859, t: 4096 }, "a block of Brain-Diffuser's targets"),
];

/** Products whose operands are stored in half precision, by f2i_gemm itself. */
const HALVES = (['bf16', 'f16'] as const).flatMap((dtype) => [
  { dtype, m: 8192, n: 8192, k: 8192, about: 'square, the usual yardstick of a GPU' },
  { dtype, m: 4096, n: 4096, k: 4096, about: 'square' },
  { dtype, m: 30000, n: 4096, k: 15724, about: 'voxels of all NSD trials to the tokens of a subject layer' },
]);

function matrixShape(op: string, extents: Record<string, number>, about: string): BenchShape {
  return { op, dtype: 'f32', extents, options: {}, about };
}

function gemmShape(dtype: 'f32' | 'f64', m: number, n: number, k: number, about: string): BenchShape {
  return { op: 'gemm', dtype, extents: { m, n, k }, options: {}, about };
}

function attentionShape(
  b: number,
  h: number,
  n: number,
  d: number,
  bias: boolean,
  about: string,
): BenchShape {
  return {
    op: 'attention',
    dtype: 'f32',
    extents: { b, h, n, m: n, d },
    options: bias ? { bias } : {},
    about,
  };
}

/**
 * One script of every shape: operands are drawn where it runs, so that it stays small.
 *
 * @param large with those at which a GPU has something to do
 */
export async function shapesScript(
  shapes: readonly BenchShape[],
  large = true,
): Promise<{ script: Script; cases: number }> {
  const recorder = new DryRecorder();
  const all = large ? [...shapes, ...LARGE] : shapes;
  const halves = large ? HALVES : [];
  for (const shape of all) record(shape, recorder);
  for (const half of halves) recordHalf(half, recorder);
  await recorder.dispose();
  return { script: recorder.script, cases: all.length + halves.length };
}

/** An operand that is only a shape: its values are drawn later. */
interface Unmade extends HostOperand {
  readonly kind: Draw;
}

function unmade(kind: Draw, dtype: DType, shape: number[]): Unmade {
  const operand = { kind, data: dtype === 'f64' ? new Float64Array() : new Float32Array(), shape };
  return dtype === 'bf16' ? { ...operand, half: { dtype, bits: new Uint16Array() } } : operand;
}

function record(shape: BenchShape, recorder: DryRecorder): void {
  const { script } = recorder;
  const make: Make = {
    normal: (...extents) => unmade('normal', shape.dtype, extents),
    brief: (...extents) => unmade('normal', 'bf16', extents),
    definite: (n) => unmade('definite', shape.dtype, [n, n]),
    triangular: (n) => unmade('triangular', shape.dtype, [n, n]),
  };
  const plan = planOf(shape, make);
  const spec = ops.get(shape.op)!;
  recorder.scope(() => {
    const mark = script.mark();
    script.begin(`${shape.op}/${shape.dtype}/${label(shape)}`);
    const inputs = plan.inputs.map((operand, i) => operand && upload(operand as Unmade, shape, i, recorder));
    const before = script.position;
    const outputs = plan.run(inputs, recorder as Backend);
    script.timed(script.position - 1); // before the call, behind the buffers of its outputs
    const units = plan.units ?? unitsOf(shape);
    // A factor's or a solution's further outputs follow from the first; eigenvectors are right in more than one way.
    const checked = shape.op === 'eigh' ? outputs.slice(0, 1) : outputs;
    for (const output of checked) script.result(operandOf(output), units);
    if (before === mark[0]) throw new Error('nothing was recorded');
    facts(script, shape, spec, inputs, outputs, plan.attributes);
  });
  script.end();
}

function facts(
  script: Script,
  shape: BenchShape,
  spec: OpSpec,
  inputs: readonly (Tensor | undefined)[],
  outputs: readonly Tensor[],
  attributes: Readonly<Record<string, unknown>>,
): void {
  const bytesOf = (each: TensorSpec | undefined) =>
    each ? sizeOf(each.shape) * bytesPerElement(each.dtype) : 0;
  script.facts({
    op: shape.op,
    shape: { ...shape.extents, ...shape.options },
    dtype: shape.dtype,
    about: shape.about,
    flops: spec.flops(inputs, attributes as never),
    bytes: [...inputs, ...outputs].reduce((sum, each) => sum + bytesOf(each), 0),
  });
}

function upload(operand: Unmade, shape: BenchShape, index: number, recorder: DryRecorder): Tensor {
  if (operand.data.length > 0) return recorder.tensor(operand.data, operand.shape);
  const deviations = shape.op === 'standardize' && index === 2;
  return recorder.drawn(
    deviations ? 'spread' : operand.kind,
    operand.shape,
    operand.half?.dtype ?? shape.dtype,
  );
}

function recordHalf({ dtype, m, n, k, about }: (typeof HALVES)[number], recorder: DryRecorder): void {
  const { script } = recorder;
  recorder.scope(() => {
    script.begin(`gemm/${dtype}/m=${m} n=${n} k=${k}`);
    const [a, b, y] = [
      recorder.drawn('normal', [m, k], dtype),
      recorder.drawn('normal', [k, n], dtype),
      recorder.blank([m, n], 'f32'),
    ];
    script.timed();
    const attributes = { transA: false, transB: false, alpha: 1, beta: 0 };
    script.call('gemm', [operandOf(a), operandOf(b), undefined, undefined], [operandOf(y)], attributes);
    script.result(operandOf(y), 8 + Math.sqrt(k));
    const bytes = 2 * (m * k + k * n) + 4 * m * n;
    script.facts({ op: 'gemm', shape: { m, n, k }, dtype, about, flops: 2 * m * n * k, bytes });
  });
  script.end();
}

/** Roundings of the largest entry that may be wrong, where the layers do not say it. */
function unitsOf({ op, extents }: BenchShape): number {
  const { n = 1, k = 1, d = 1 } = extents;
  switch (op) {
    case 'gemm':
    case 'gram':
      return 8 + Math.sqrt(k);
    case 'cosine_matrix':
      return 8 + Math.sqrt(d);
    case 'column_stats':
    case 'pearson_columns':
      return 8 + Math.sqrt(n);
    case 'cholesky_factor':
    case 'cholesky_solve':
    case 'triangular_solve':
    case 'eigh':
      return 8 + 4 * Math.sqrt(n);
    case 'elementwise':
    case 'standardize':
      return 4;
    default:
      return 1; // moves, casts and draws
  }
}
