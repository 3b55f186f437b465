import type { DType } from '../src/dtype.ts';
import type { ErrorCode } from '../src/error.ts';
import type { Attributes, OpSpec } from '../src/ops/op.ts';
import type { View } from '../src/reference/kernel.ts';
import type { Shape } from '../src/tensor.ts';
import type { Fill } from './fill.ts';

/** One operand of a case. */
export interface Operand {
  readonly shape: Shape;
  readonly fill: Fill;
  /** The case's type when absent. */
  readonly dtype?: DType;
  /**
   * The operand is a view: this many rows of NaN (of the largest integer) lie before and after it in its storage.
   * Reading outside the view shows in the result, writing outside shows in the rows.
   */
  readonly within?: readonly [before: number, after: number];
}

/** One case of an op: it runs once for each element type. */
export interface OpCase<A extends Attributes = Attributes> {
  readonly name: string;
  readonly inputs: readonly (Operand | undefined)[];
  readonly attributes: A;
  /** f32 and f64 when absent. */
  readonly dtypes?: readonly DType[];
  /** The call must throw this where it is made. */
  readonly throws?: { readonly code: ErrorCode; readonly message: RegExp };
  /** The call must succeed, and a download of any output reject with this. */
  readonly rejects?: { readonly code: ErrorCode; readonly message: RegExp };
  /** Why an output that is mostly zero or one value is the point of the case. */
  readonly constant?: string;
}

/** What a backend returned and what the reference did, for one run of a case. */
export interface Outcome<A extends Attributes = Attributes> {
  readonly op: OpSpec<A>;
  readonly inputs: readonly (View | undefined)[];
  readonly attributes: A;
  readonly expected: readonly View[];
  readonly actual: readonly View[];
}

/** The worst error over its tolerance (at most 1 passes), and where it is. */
export interface Verdict {
  readonly worst: number;
  readonly where: string;
}

export type Check<A extends Attributes = Attributes> = (outcome: Outcome<A>) => Verdict;

/** All cases of an op and the check that its results must pass. */
export interface Suite<A extends Attributes = Attributes> {
  readonly op: OpSpec<A>;
  readonly check: Check<A>;
  readonly cases: readonly OpCase<A>[];
}

/** Keeps the attribute types of an op inside its suite; the runner handles all suites alike. */
export function suite<A extends Attributes>(definition: Suite<A>): Suite {
  return definition as unknown as Suite;
}
