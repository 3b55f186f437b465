import { F2iError } from '../error.ts';
import { describe, type Tensor, type TensorSpec } from '../tensor.ts';

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
  const first = inputs[0]!;
  for (const input of inputs) {
    if (input && input.backend !== first.backend) {
      throw new F2iError('INVALID_ARGUMENT', 'operands live on different backends', {
        op: op.name,
        expected: first.backend.name,
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
  return first.backend.enqueue(op, inputs, attributes, outputs, options.signal, capturePlace());
}

const HAS_CAPTURE = 'captureStackTrace' in Error;

/** Remembers the call stack; formatting it is left to whoever reads `.stack`. */
function capturePlace(): { stack?: string | undefined } {
  const place: { stack?: string } = {};
  if (HAS_CAPTURE)
    (Error as { captureStackTrace(target: object, below: unknown): void }).captureStackTrace(place, runOp);
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
