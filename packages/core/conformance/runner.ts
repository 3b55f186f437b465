import type { Backend } from '../src/backend.ts';
import { fromNumbers, roundTo, toNumbers } from '../src/convert.ts';
import { type DType, type HostArray, isFloat } from '../src/dtype.ts';
import { F2iError } from '../src/error.ts';
import { type OpSpec, runOn } from '../src/ops/op.ts';
import { createRandom } from '../src/random.ts';
import { referenceKernels } from '../src/reference/index.ts';
import type { View } from '../src/reference/kernel.ts';
import { describe, sizeOf, type Tensor, type TensorSpec } from '../src/tensor.ts';
import { assert, messageOf, mustReject, mustThrow } from './assert.ts';
import { type Behaviour, behaviours } from './behaviours.ts';
import { suites } from './cases/index.ts';
import type { OpCase, Operand, Suite } from './suite.ts';
import { assertTelling } from './telling.ts';
import { errorOver } from './tolerance.ts';

export type Status = 'passed' | 'failed' | 'unsupported';

export interface CaseResult {
  /** `gemm/f32/alpha 19x23x37`, `behaviour/poison`. */
  readonly id: string;
  readonly status: Status;
  /** Worst error over its tolerance; 0 where nothing is compared. */
  readonly worst: number;
  /** Why it failed or is unsupported; where the worst error is. */
  readonly message: string;
}

export interface ConformanceReport {
  readonly results: readonly CaseResult[];
  readonly passed: number;
  readonly failed: number;
  readonly unsupported: number;
}

export interface ConformanceOptions {
  /** Runs only ids that pass: a RegExp, or any other test. */
  readonly filter?: Pick<RegExp, 'test'> | undefined;
  readonly onResult?: ((result: CaseResult) => void) | undefined;
  /** Other operands of the same shapes; 0 by default. */
  readonly seed?: number | undefined;
  /**
   * What this backend declares that it cannot do: an id, or the beginning of ids up to a slash, and the reason.
   * A star stands for anything: `eigh`, `gather/u8`, `cast/*to f64`. A refusal that is not declared fails, a declared
   * gap that does not refuse with UNSUPPORTED fails, and one that turns out to work fails too.
   */
  readonly unsupported?: Readonly<Record<string, string>>;
  /** Operands and expected results of earlier runs; those of this run are added. */
  readonly known?: KnownCases | undefined;
}

/**
 * Operands of cases and what the reference makes of them, for several runs of the same cases: computing them takes longer
 * than a fast backend takes. Of all cases they are a quarter of a gigabyte, for as long as the object lives.
 */
export class KnownCases {
  readonly #known = new Map<string, CaseValues>();

  /** @internal */
  values(key: string, compute: () => CaseValues): CaseValues {
    const values = this.#known.get(key) ?? compute();
    this.#known.set(key, values);
    return values;
  }
}

/**
 * Runs every case of every op, in each of its types, and the behaviours that hold for all backends, one after the
 * other. The same function serves Node, Dawn and browsers: it needs nothing but the backend.
 */
export async function runConformance(
  backend: Backend,
  options: ConformanceOptions = {},
): Promise<ConformanceReport> {
  const results: CaseResult[] = [];
  for (const { id, mayRefuse, run } of runs(backend, options)) {
    if (options.filter && !options.filter.test(id)) continue;
    const gap = mayRefuse ? declaredGap(id, options.unsupported ?? {}) : undefined;
    const result = judge(id, await outcomeOf(run), gap);
    results.push(result);
    options.onResult?.(result);
  }
  const count = (status: Status) => results.filter((result) => result.status === status).length;
  return {
    results,
    passed: count('passed'),
    failed: count('failed'),
    unsupported: count('unsupported'),
  };
}

/** One line a failure, and the sum. */
export function formatReport(report: ConformanceReport): string {
  const failures = report.results.filter(({ status }) => status === 'failed');
  return [
    ...failures.map(({ id, message }) => `failed ${id}: ${message}`),
    `${report.passed} passed, ${report.failed} failed, ${report.unsupported} unsupported`,
  ].join('\n');
}

// ---- what runs --------------------------------------------------------------------------------------------------

interface Run {
  readonly id: string;
  /** False for mistakes of the caller: they are refused as such, whatever the backend supports. */
  readonly mayRefuse: boolean;
  /** Resolves with the worst error over tolerance; rejects when the case fails. */
  readonly run: () => Promise<{ worst: number; message: string }>;
}

function* runs(backend: Backend, { seed = 0, known }: ConformanceOptions): Generator<Run> {
  for (const each of suites) {
    for (const aCase of each.cases) {
      for (const dtype of aCase.dtypes ?? (['f32', 'f64'] as const)) {
        const id = `${each.op.name}/${dtype}/${aCase.name}`;
        const compute = () => valuesOf(each.op, aCase, dtype, seed);
        yield {
          id,
          mayRefuse: aCase.throws === undefined,
          run: () => {
            const values = known ? known.values(`${id} ${seed}`, compute) : compute();
            return withoutLeaks(backend, () => runCase(backend, each, aCase, values));
          },
        };
      }
    }
  }
  for (const [name, behaviour] of Object.entries(behaviours)) {
    yield {
      id: `behaviour/${name}`,
      mayRefuse: true,
      run: () => withoutLeaks(backend, () => runBehaviour(backend, behaviour)),
    };
  }
}

async function runBehaviour(backend: Backend, behaviour: Behaviour) {
  const before = new Set(backend.liveTensors());
  try {
    await behaviour(backend);
  } finally {
    for (const tensor of backend.liveTensors()) if (!before.has(tensor)) tensor.dispose();
  }
  return { worst: 0, message: '' };
}

/** A case that leaves tensors or storage behind fails, whatever its result. */
async function withoutLeaks<T>(backend: Backend, body: () => Promise<T>): Promise<T> {
  await backend.sync().catch(() => {}); // what an earlier case left behind was reported there
  const before = backend.stats();
  const result = await body();
  await backend.sync();
  const after = backend.stats();
  if (after.liveTensors !== before.liveTensors || after.liveBytes !== before.liveBytes) {
    throw new Error(
      `leaks ${after.liveTensors - before.liveTensors} tensors and ${after.liveBytes - before.liveBytes} bytes`,
    );
  }
  return result;
}

// ---- verdicts ---------------------------------------------------------------------------------------------------

type Ran = { worst: number; message: string } | { error: unknown };

async function outcomeOf(run: Run['run']): Promise<Ran> {
  try {
    return await run();
  } catch (error) {
    return { error };
  }
}

function declaredGap(id: string, unsupported: Readonly<Record<string, string>>): string | undefined {
  const key = Object.keys(unsupported).find((pattern) => {
    const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}(/|$)`).test(id);
  });
  return key && unsupported[key];
}

function judge(id: string, ran: Ran, gap: string | undefined): CaseResult {
  if ('error' in ran) {
    const refused = ran.error instanceof F2iError && ran.error.code === 'UNSUPPORTED';
    if (gap !== undefined && refused) return { id, status: 'unsupported', worst: Infinity, message: gap };
    return { id, status: 'failed', worst: Infinity, message: messageOf(ran.error) };
  }
  if (gap !== undefined) {
    return { id, status: 'failed', worst: ran.worst, message: `does not refuse, yet declares: ${gap}` };
  }
  return { id, status: ran.worst <= 1 ? 'passed' : 'failed', ...ran };
}

// ---- one case ---------------------------------------------------------------------------------------------------

/** What a case gives to a backend, and what the reference makes of it. */
interface CaseValues {
  readonly operands: readonly (Placed | undefined)[];
  /** Computes it the first time; throws where it would say nothing about a result. */
  readonly expected: () => readonly View[];
}

function valuesOf(op: OpSpec, aCase: OpCase, dtype: DType, seed: number): CaseValues {
  const random = createRandom(seedOf(op, aCase, seed));
  const operands = aCase.inputs.map((input) => input && place(input, dtype, random));
  let expected: readonly View[] | undefined;
  return {
    operands,
    expected: () => {
      if (expected) return expected;
      const views = operands.map((each) => each?.view);
      const computed = reference(op.name, views, aCase, op.infer(views, aCase.attributes));
      if (aCase.constant === undefined) computed.forEach(assertTelling);
      expected = computed;
      return expected;
    },
  };
}

async function runCase(backend: Backend, { op, check }: Suite, aCase: OpCase, values: CaseValues) {
  const { operands } = values;
  const uploaded = operands.map((each) => each && upload(backend, each));
  const inputs = uploaded.map((each) => each?.view);
  try {
    if (aCase.throws) {
      const { code, message } = aCase.throws;
      mustThrow(() => runOn(backend, op, inputs, aCase.attributes, {}), code, message);
      return { worst: 0, message: '' };
    }
    const specs = op.infer(inputs, aCase.attributes);
    const outputs = runOn(backend, op, inputs, aCase.attributes, {});
    try {
      if (aCase.rejects) {
        await mustFail(backend, outputs, aCase.rejects, op.name);
        return { worst: 0, message: '' };
      }
      const actual = await Promise.all(
        outputs.map(async (tensor) => viewOf(tensor, await tensor.download())),
      );
      const views = operands.map((each) => each?.view);
      const expected = values.expected();
      assertShapes(specs, outputs);
      await assertUntouched(uploaded);
      const verdict = check({ op, inputs: views, attributes: aCase.attributes, expected, actual });
      return { worst: verdict.worst, message: verdict.where };
    } finally {
      for (const tensor of outputs) tensor.dispose();
    }
  } finally {
    for (const each of uploaded) for (const tensor of each ? [each.view, each.whole] : []) tensor.dispose();
  }
}

/** A seed for each case, the same everywhere. */
export function seedOf(op: OpSpec, aCase: OpCase, seed: number): number {
  return hash(`${op.name}/${aCase.name}`) + seed * 2 ** 32;
}

/** FNV-1a. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** An operand's values, rounded to its type, inside their storage. */
export interface Placed {
  readonly view: View;
  readonly whole: Float64Array;
  readonly wholeShape: number[];
  readonly firstRow: number;
}

export function place(operand: Operand, caseType: DType, random: ReturnType<typeof createRandom>): Placed {
  const dtype = operand.dtype ?? caseType;
  const data = operand.fill(operand.shape, random).map((value) => roundTo(dtype, value));
  if (data.length !== sizeOf(operand.shape)) {
    throw new Error(`the fill made ${data.length} values for ${describe({ shape: operand.shape, dtype })}`);
  }
  const [before, after] = operand.within ?? [0, 0];
  const [rows = 1, ...rest] = operand.shape;
  const wholeShape = operand.within ? [before + rows + after, ...rest] : [...operand.shape];
  const outside = isFloat(dtype) ? NaN : roundTo(dtype, Infinity);
  const whole = new Float64Array(sizeOf(wholeShape)).fill(outside);
  whole.set(data, before * sizeOf(rest));
  return { view: { data, shape: operand.shape, dtype }, whole, wholeShape, firstRow: before };
}

export interface Uploaded {
  readonly whole: Tensor;
  readonly view: Tensor;
  readonly bits: HostArray;
}

export function upload(backend: Backend, { view, whole, wholeShape, firstRow }: Placed): Uploaded {
  const bits = fromNumbers(whole, view.dtype);
  const tensor = backend.tensor(bits, wholeShape, view.dtype);
  const isView = wholeShape.length > 0 && wholeShape[0] !== view.shape[0];
  return {
    whole: tensor,
    view: isView ? tensor.rows(firstRow, firstRow + view.shape[0]!) : tensor,
    bits,
  };
}

function viewOf(tensor: Tensor, downloaded: HostArray): View {
  return { data: toNumbers(downloaded, tensor.dtype), shape: tensor.shape, dtype: tensor.dtype };
}

export function reference(
  op: string,
  inputs: readonly (View | undefined)[],
  aCase: OpCase,
  specs: readonly TensorSpec[],
): View[] {
  const outputs = specs.map((spec) => ({ ...spec, data: new Float64Array(sizeOf(spec.shape)) }));
  referenceKernels.get(op)!(inputs, outputs, aCase.attributes);
  return outputs;
}

function assertShapes(specs: readonly TensorSpec[], tensors: readonly Tensor[]): void {
  const wanted = specs.map(describe).join(', ');
  const found = tensors.map(describe).join(', ');
  if (wanted !== found) throw new Error(`outputs are ${found} instead of ${wanted}`);
}

/** Ops are functional: operands, and what surrounds them in their storage, keep every bit. */
async function assertUntouched(uploaded: readonly (Uploaded | undefined)[]): Promise<void> {
  for (const [i, each] of uploaded.entries()) {
    if (!each) continue;
    const now = await each.whole.download();
    const changed = each.bits.findIndex((bits: number, j: number) => errorOver(bits, now[j]!, 0) !== 0);
    if (changed >= 0) throw new Error(`operand ${i} was written to at element ${changed} of its storage`);
  }
}

// ---- errors -----------------------------------------------------------------------------------------------------

/** Every output rejects, naming the op and the place; the next sync rejects too, and the one after does not. */
async function mustFail(
  backend: Backend,
  outputs: readonly Tensor[],
  { code, message }: { code: string; message: RegExp },
  op: string,
): Promise<void> {
  const waits = [...outputs.map((tensor) => () => tensor.download()), () => backend.sync()];
  for (const wait of waits) {
    const error = await mustReject(wait(), code, message);
    assert(error.op === op, `the error names ${error.op} instead of ${op}`);
    assert(Boolean(error.place), 'the error does not say where the op was enqueued');
  }
  await backend.sync();
}
