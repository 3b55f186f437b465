/** Cases of the conformance as data: operands, what the reference makes of them, and how far a result may be off. */

import type { Backend } from '../src/backend.ts';
import type { DType } from '../src/dtype.ts';
import { runOn } from '../src/ops/op.ts';
import { createRandom } from '../src/random.ts';
import type { View } from '../src/reference/kernel.ts';
import type { Tensor } from '../src/tensor.ts';
import { Bounds } from './bounds.ts';
import { suites } from './cases/index.ts';
import { place, reference, seedOf, type Uploaded, upload } from './runner.ts';
import type { OpCase, Suite } from './suite.ts';

/** One run of a case: `gemm/f32/alpha 19x23x37`. */
export interface Expectation {
  readonly id: string;
  readonly op: string;
  readonly attributes: OpCase['attributes'];
  /** Uploads the operands and enqueues the op. */
  enqueue(backend: Backend): {
    readonly operands: readonly (Uploaded | undefined)[];
    readonly outputs: readonly Tensor[];
  };
  /** The failure that a wait must report instead of results. */
  readonly rejects: string | undefined;
  /** What the reference computes, in float64. */
  readonly expected: readonly View[];
  /** For each output, the tolerances of its entries; undefined where residuals are held against a bound instead. */
  readonly bounds: readonly Bounds[] | undefined;
}

/** Ops whose checks are of residuals: factors and solutions may differ where the matrix says little about them. */
const RESIDUALS = new Set(['cholesky_factor', 'cholesky_solve', 'triangular_solve', 'eigh']);

/**
 * Every case that enqueues something, in each of its types.
 *
 * @param wanted ids of cases; the others are not computed
 * @param seed as in `runConformance`
 */
export function* expectations(
  wanted: (id: string) => boolean = () => true,
  seed = 0,
): Generator<Expectation> {
  for (const each of suites) {
    for (const aCase of each.cases) {
      if (aCase.throws) continue;
      for (const dtype of aCase.dtypes ?? (['f32', 'f64'] as const)) {
        const id = `${each.op.name}/${dtype}/${aCase.name}`;
        if (wanted(id)) yield expectation(id, each, aCase, dtype, seed);
      }
    }
  }
}

function expectation(
  id: string,
  { op, check }: Suite,
  aCase: OpCase,
  dtype: DType,
  seed: number,
): Expectation {
  const random = createRandom(seedOf(op, aCase, seed));
  const operands = aCase.inputs.map((input) => input && place(input, dtype, random));
  const inputs = operands.map((each) => each?.view);
  const { attributes } = aCase;
  const common = {
    id,
    op: op.name,
    attributes,
    enqueue(backend: Backend) {
      const uploaded = operands.map((each) => each && upload(backend, each));
      const tensors = uploaded.map((each) => each?.view);
      return { operands: uploaded, outputs: runOn(backend, op, tensors, attributes, {}) };
    },
    rejects: aCase.rejects?.code,
  };
  if (aCase.rejects) return { ...common, expected: [], bounds: undefined };
  const expected = reference(op.name, inputs, aCase, op.infer(inputs, attributes));
  if (RESIDUALS.has(op.name)) return { ...common, expected, bounds: undefined };
  const bounds = expected.map((view) => new Bounds(view));
  check({ op, inputs, attributes, expected, actual: bounds });
  return { ...common, expected, bounds };
}
