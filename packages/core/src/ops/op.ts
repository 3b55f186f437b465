import type { Backend, OpCall } from '../backend.ts';
import { F2iError } from '../error.ts';
import { describe, type Shape, type Tensor, type TensorSpec } from '../tensor.ts';

/** Plain values that shape an op; index lists travel as typed arrays. */
export type Attributes = Readonly<Record<string, number | boolean | string | Int32Array | undefined>>;

/**
 * How results of an op are compared with the float64 reference.
 * - exact: bit for bit (gather, top_k indices, cast between exact values)
 * - elementwise: a few units in the last place
 * - reduction: error relative to the sum of magnitudes, growing with the reduced length
 * - factorisation: residual and orthogonality, not entries
 */
export type ToleranceFamily = 'exact' | 'elementwise' | 'reduction' | 'factorisation';

/** What an op is: the one description that all backends, the conformance runner and the benchmarks share. */
export interface OpSpec<A extends Attributes = Attributes> {
  /** Stem of all its files, snake_case. */
  readonly name: string;
  readonly family: ToleranceFamily;
  /** Checks operands (throws INVALID_ARGUMENT) and returns the outputs. */
  infer(inputs: readonly (TensorSpec | undefined)[], attributes: A): TensorSpec[];
  /** Floating-point operations that the algorithm needs (a fused multiply-add counts two). */
  flops(inputs: readonly (TensorSpec | undefined)[], attributes: A): number;
}

/** Options that every op takes. */
export interface OpOptions {
  /** Drops the op while it is queued, stops it at its next tile while it runs. */
  signal?: AbortSignal | undefined;
}

/** Checks the operands, enqueues, returns the outputs. */
export function runOp<A extends Attributes>(
  op: OpSpec<A>,
  inputs: readonly (Tensor | undefined)[],
  attributes: A,
  options: OpOptions,
): Tensor[] {
  return checkAndEnqueue(inputs[0]!.backend, op, inputs, attributes, options, capturePlace(runOp));
}

/** The same on a given backend: for ops that may have no operand. */
export function runOn<A extends Attributes>(
  backend: Backend,
  op: OpSpec<A>,
  inputs: readonly (Tensor | undefined)[],
  attributes: A,
  options: OpOptions,
): Tensor[] {
  return checkAndEnqueue(backend, op, inputs, attributes, options, capturePlace(runOn));
}

function checkAndEnqueue<A extends Attributes>(
  backend: Backend,
  op: OpSpec<A>,
  inputs: readonly (Tensor | undefined)[],
  attributes: A,
  options: OpOptions,
  place: OpCall['place'],
): Tensor[] {
  for (const input of inputs) {
    if (input && input.backend !== backend) {
      throw new F2iError('INVALID_ARGUMENT', 'operands live on different backends', {
        op: op.name,
        expected: backend.name,
        found: input.backend.name,
      });
    }
  }
  const outputs = op.infer(inputs, attributes);
  if (options.signal?.aborted) {
    throw new F2iError('CANCELLED', 'cancelled before it was enqueued', {
      op: op.name,
      cause: options.signal.reason,
    });
  }
  return backend.enqueue(op, inputs, attributes, outputs, options.signal, place);
}

const HAS_CAPTURE = 'captureStackTrace' in Error;

/** Remembers the call stack; formatting it is left to whoever reads `.stack`. */
export function capturePlace(below: unknown): OpCall['place'] {
  const place: { stack?: string } = {};
  if (HAS_CAPTURE)
    (Error as { captureStackTrace(target: object, below: unknown): void }).captureStackTrace(place, below);
  return place;
}

// ---- checks shared by the ops' infer functions ----------------------------------------------------------------

export function fail(op: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { op, expected, found });
}

/** The matrix extents of operand `name`, or an error that names it. */
export function matrix(op: string, name: string, spec: TensorSpec | undefined): [rows: number, cols: number] {
  if (spec?.shape.length !== 2) {
    throw fail(op, `${name} must be a matrix`, 'two axes', spec ? describe(spec) : 'nothing');
  }
  return [spec.shape[0]!, spec.shape[1]!];
}

export function square(op: string, name: string, spec: TensorSpec | undefined): number {
  const [rows, cols] = matrix(op, name, spec);
  if (rows !== cols) throw fail(op, `${name} must be square`, `[${rows}, ${rows}]`, describe(spec!));
  return rows;
}

export function vector(op: string, name: string, spec: TensorSpec | undefined, length: number): void {
  if (spec && !(spec.shape.length === 1 && spec.shape[0] === length)) {
    throw fail(op, `${name} has the wrong shape`, `[${length}]`, describe(spec));
  }
}

/** All given operands must have the first one's type, which must be f32 or f64 (or one of `allowed`). */
export function sameFloat(
  op: string,
  inputs: readonly (TensorSpec | undefined)[],
  allowed: readonly string[] = ['f32', 'f64'],
): TensorSpec['dtype'] {
  const dtype = inputs[0]!.dtype;
  if (!allowed.includes(dtype)) throw fail(op, 'unsupported element type', allowed.join(' or '), dtype);
  for (const input of inputs) {
    if (input && input.dtype !== dtype) {
      throw fail(op, 'operands must have one element type', dtype, input.dtype);
    }
  }
  return dtype;
}

/** Operand `name`, if given, must have this shape. */
export function sameShape(op: string, name: string, spec: TensorSpec | undefined, shape: Shape): void {
  if (spec && `${spec.shape}` !== `${shape}`) {
    throw fail(op, `${name} has the wrong shape`, `[${shape.join(', ')}]`, describe(spec));
  }
}

/** Weights are read in the type they are stored in: f64 with f64, else f32 or half precision; all of one type. */
export function weightType(op: string, x: TensorSpec, weight: TensorSpec, first = weight): void {
  const allowed = x.dtype === 'f64' ? ['f64'] : ['f32', 'f16', 'bf16'];
  if (!allowed.includes(weight.dtype)) {
    throw fail(op, `unsupported element type of weights for ${x.dtype}`, allowed.join(' or '), weight.dtype);
  }
  if (weight.dtype !== first.dtype) {
    throw fail(op, 'weights must have one element type', first.dtype, weight.dtype);
  }
}

/** What is added to a variance: a negative one could make it negative. */
export function checkEps(op: string, eps: number): void {
  if (!(eps >= 0 && Number.isFinite(eps))) throw fail(op, 'eps out of range', '0 or more', `${eps}`);
}
