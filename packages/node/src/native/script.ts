import type { Attributes, DType, Operand, Storage } from '@fmri2image/core';
import type { NativeOps } from './addon.ts';
import { Arguments, DTYPES, type NativeStorage } from './arguments.ts';
import { type Encodable, encoders } from './encode.ts';

/** How operands that are not kept are drawn where the script runs. */
export type Draw = 'normal' | 'definite' | 'triangular' | 'spread';

/** Numbers of a script: one for all, or a stretch of its data. */
type Numbers = { readonly all: number } | { readonly type: 'f32' | 'f64'; readonly from: number };

/**
 * Calls of the C ABI as text, and the data that they use as bytes: what a backend was asked for, so that a program without
 * Node can ask for it again (`native/tools/replay`, whose README describes the lines).
 */
export class Script {
  readonly #lines: string[] = [];
  readonly #chunks: Uint8Array[] = [];
  readonly #arguments = new NotedArguments();
  #bytes = 0;
  /** Numbers of the buffers of a case by their handles. */
  readonly #numbers = new Map<number, number>();

  /** The text, whose first line says how long the data must be. */
  text(): string {
    return [`f2i-script 1 ${this.#bytes}`, ...this.#lines, ''].join('\n');
  }

  get chunks(): readonly Uint8Array[] {
    return this.#chunks;
  }

  get byteLength(): number {
    return this.#bytes;
  }

  /** Where the next line will be, for `entries`. */
  get position(): number {
    return this.#lines.length;
  }

  /** Begins a case; names are `op/...`, or that of a golden. */
  begin(name: string): void {
    if (/[\n\r]/.test(name)) throw new Error(`a case is named over two lines: ${name}`);
    this.#numbers.clear();
    this.#lines.push(`case ${name}`);
  }

  /** What rows of results say about a case, as JSON. */
  facts(facts: Readonly<Record<string, unknown>>): void {
    for (const [key, value] of Object.entries(facts))
      this.#lines.push(`fact ${key} ${JSON.stringify(value)}`);
  }

  end(): void {
    this.#lines.push('end');
  }

  /** A place to which `rewind` goes back: what came after it is forgotten. */
  mark(): readonly [lines: number, chunks: number, bytes: number] {
    return [this.#lines.length, this.#chunks.length, this.#bytes];
  }

  rewind([lines, chunks, bytes]: readonly [lines: number, chunks: number, bytes: number]): void {
    this.#lines.length = lines;
    this.#chunks.length = chunks;
    this.#bytes = bytes;
  }

  buffer(handle: number, bytes: number): void {
    this.#numbers.set(handle, this.#numbers.size + 1);
    this.#lines.push(`buffer ${this.#numberOf(handle)} ${bytes}`);
  }

  free(handle: number): void {
    this.#lines.push(`free ${this.#numberOf(handle)}`);
  }

  /** Writes into a buffer, from its beginning. */
  data(handle: number, array: ArrayBufferView): void {
    this.#lines.push(`data ${this.#numberOf(handle)} ${array.byteLength} ${this.#keep(array)}`);
  }

  /** Fills a buffer where the script runs: a matrix of random numbers of a kind, times `scale`. */
  draw(handle: number, kind: Draw, rows: number, cols: number, dtype: DType, seed: number, scale = 1): void {
    this.#lines.push(
      `draw ${this.#numberOf(handle)} ${kind} ${rows} ${cols} ${DTYPES[dtype]} ${seed} ${scale}`,
    );
  }

  /** An op, as its encoder asks the native side for it. */
  call(
    op: string,
    inputs: readonly (Operand | undefined)[],
    outputs: readonly Operand[],
    attributes: Attributes,
  ): void {
    const args = this.#arguments;
    args.begin(0, 0);
    const lists: string[] = [];
    let asked = false;
    const note = (...given: readonly (Int32Array | Float64Array | undefined)[]) => {
      asked = true;
      for (const list of given) {
        lists.push(list === undefined ? '-' : `${list.length}:${list.length === 0 ? 0 : this.#keep(list)}`);
      }
    };
    const native = new Proxy({} as NativeOps, { get: () => note });
    encoders[op]!(native, args, { inputs, outputs, attributes } satisfies Encodable);
    if (!asked) return; // there is nothing to compute
    const [scalars, packed] = args.noted();
    const operands = packed.map((value, i) => (i % 6 === 0 && value !== 0 ? this.#numberOf(value) : value));
    const words = [scalars.length, ...scalars, operands.length / 6, ...operands, lists.length, ...lists];
    this.#lines.push(`call ${op} ${words.join(' ')}`);
  }

  /** What follows is what is timed, again and again; before it, operands are made. */
  timed(position = this.position): void {
    this.#lines.splice(position, 0, 'timed');
  }

  /** Where a timed computation leaves a result, of which `units` roundings of its largest entry may be wrong. */
  result(at: Operand, units: number): void {
    const count = at.shape.reduce((a, b) => a * b, 1);
    this.#lines.push(`result ${[...this.#place(at), count, units].join(' ')}`);
  }

  /** The bytes of a buffer must still be those that were written to it first. */
  kept(storage: Storage): void {
    this.#lines.push(`kept ${this.#numberOf((storage as NativeStorage).handle)}`);
  }

  /** Everything waits; the first failure must be this one. */
  fails(status: string, op: string): void {
    this.#lines.push(`fails ${status} ${op}`);
  }

  /**
   * Entries of a buffer against numbers in float64, each with a tolerance; where `magnitude` is given, the root mean square of
   * the errors over that of the magnitudes may be `bound`. Looked at where the script has come to `position`.
   */
  entries(
    at: Operand,
    expected: Float64Array,
    tolerance: Float64Array,
    mean?: { readonly magnitude: Float64Array; readonly bound: number } | undefined,
    position = this.position,
  ): void {
    const exactly = Array.from(expected).every((value) => Object.is(Math.fround(value), value));
    const words = [
      ...this.#place(at),
      expected.length,
      this.#stretch(expected, exactly),
      this.#stretch(tolerance, true),
      mean ? this.#stretch(mean.magnitude, true) : '-',
      mean?.bound ?? 0,
    ];
    this.#lines.splice(position, 0, `entries ${words.join(' ')}`);
  }

  /** A rule for factors, solutions and eigenpairs: residuals of matrices in buffers. */
  residual(
    rule: string,
    matrices: readonly Operand[],
    scalars: readonly number[] = [],
    values?: Float64Array,
  ): void {
    const words = [
      scalars.length,
      ...scalars,
      matrices.length,
      ...matrices.flatMap((each) => [...this.#place(each), ...matrixOf(each.shape)]),
      values ? `${values.length}:${this.#keep(values)}` : '-',
    ];
    this.#lines.push(`residual ${rule} ${words.join(' ')}`);
  }

  #stretch(values: Float64Array, short: boolean): string {
    const first = values[0] ?? 0;
    if (values.every((value) => Object.is(value, first))) return encode({ all: first });
    const narrow = short && values.every((value) => value === 0 || !(Math.abs(value) < 2 ** -126));
    const from = this.#keep(narrow ? Float32Array.from(values) : values);
    return encode({ type: narrow ? 'f32' : 'f64', from });
  }

  #place({ storage, offset, dtype }: Operand): number[] {
    return [this.#numberOf((storage as NativeStorage).handle), offset, DTYPES[dtype]];
  }

  #numberOf(handle: number): number {
    const number = this.#numbers.get(handle);
    if (number === undefined) throw new Error('a case uses a buffer that was made before it');
    return number;
  }

  /** Copies bytes; returns where they begin, a multiple of 8. */
  #keep(array: ArrayBufferView): number {
    const from = this.#bytes;
    const copy = new Uint8Array(Math.ceil(array.byteLength / 8) * 8);
    copy.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    this.#chunks.push(copy);
    this.#bytes += copy.byteLength;
    return from;
  }
}

function encode(numbers: Numbers): string {
  return 'all' in numbers ? `=${numbers.all}` : `${numbers.type}:${numbers.from}`;
}

/** Leading axes are rows, the last one columns. */
function matrixOf(shape: readonly number[]): [rows: number, cols: number] {
  const cols = shape.at(-1) ?? 1;
  return [shape.slice(0, -1).reduce((a, b) => a * b, 1), cols];
}

/** Arguments that remember how many there are. */
class NotedArguments extends Arguments {
  #scalars: readonly number[] = [];
  #operands = 0;

  override begin(tag: number, token: number): void {
    super.begin(tag, token);
    this.#scalars = [];
    this.#operands = 0;
  }

  override scalars(...scalars: readonly number[]): this {
    this.#scalars = scalars;
    return super.scalars(...scalars);
  }

  override operands(...operands: readonly (Operand | undefined)[]): void {
    this.#operands = operands.length;
    super.operands(...operands);
  }

  noted(): [scalars: readonly number[], operands: readonly number[]] {
    const packed = this.values.subarray(
      Arguments.FIRST_OPERAND,
      Arguments.FIRST_OPERAND + 6 * this.#operands,
    );
    return [this.#scalars, [...packed]];
  }
}
