import type { Json } from '../data/json.ts';
import { elementCount, type NdArray, toFloat32, toFloat64 } from '../data/ndarray.ts';
import { throwIfAborted } from '../error.ts';
import type { WeightEntry, WeightSource } from '../weights/source.ts';
import type { BundleTensor } from './contents.ts';
import type { OpenedBundle, OpenedWeights } from './open.ts';
import type { BundleModel } from './schema.ts';

/**
 * `identical`: the same bundle, by its content hash. `same numbers`: equal tensors, and all that says how they are
 * applied (kind, input, output, config) is equal, too: the same predictions, with other metadata. Else `different`.
 */
export type Verdict = 'identical' | 'same numbers' | 'different';

/** A field of model.json. */
export interface Change {
  /** Path: `ledger.2.note`. */
  readonly field: string;
  /** Absent where the first bundle has none. */
  readonly before?: Json;
  /** Absent where the second bundle has none. */
  readonly after?: Json;
}

export interface TensorDifference {
  readonly name: string;
  /** `f32 [10, 6]`; absent where a bundle has no tensor of this name. */
  readonly before?: string;
  readonly after?: string;
  /** Of tensors of one shape: how many elements differ, and by how much at most. */
  readonly values?: {
    readonly differing: number;
    readonly of: number;
    readonly maxAbsolute: number;
    /** |a - b| / max(|a|, |b|), over elements that differ. */
    readonly maxRelative: number;
    /** Elements that differ and are NaN or infinite in one of the two; not in the maxima. */
    readonly notFinite: number;
  };
}

export interface BundleDifference {
  readonly verdict: Verdict;
  readonly fields: readonly Change[];
  /** Tensors that differ in any way. */
  readonly tensors: readonly TensorDifference[];
}

/** Parts of model.json that say how tensors are applied. */
const APPLIED = [
  'kind',
  'input.voxels',
  'input.selectionSha256',
  'input.repetitionTime',
  'input.preprocess',
  'output',
  'config',
];

/** Compares two verified bundles, field by field and number by number; they may be of different kinds. */
export function diffBundles(before: OpenedBundle, after: OpenedBundle): BundleDifference {
  if (before.model.contentHash === after.model.contentHash) return IDENTICAL;
  const named = ({ contents }: OpenedBundle) =>
    new Map(contents.tensors.map((tensor) => [tensor.name, tensor]));
  const [ones, others] = [named(before), named(after)];
  const tensors = allNames(ones, others).flatMap((name) => {
    const [one, other] = [ones.get(name), others.get(name)];
    const difference = describedDifference(name, one, other);
    if (!haveSameShape(one, other)) return [difference];
    const compared = new Comparison(elementCount(one!.shape)!);
    compared.add(one!, other!);
    return compared.found(difference, one!, other!);
  });
  return judge(before.model, after.model, tensors);
}

/**
 * The same of bundles of any size: numbers come by ranges, as values, so that bundles of different types compare. All
 * checksums are verified.
 *
 * @param onProgress numbers that were compared, of all
 * @throws FORMAT for damaged bundles
 */
export async function diffWeights(
  before: OpenedWeights,
  after: OpenedWeights,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (done: number, total: number) => void } = {},
): Promise<BundleDifference> {
  const isSame = before.model.contentHash === after.model.contentHash;
  const [ones, others] = [before.weights.entries, after.weights.entries];
  const names = isSame ? [] : allNames(ones, others);
  const shared = names.filter((name) => haveSameShape(ones.get(name), others.get(name)));
  const total = shared.reduce((sum, name) => sum + elementCount(ones.get(name)!.shape)!, 0);
  const tensors: TensorDifference[] = [];
  let done = 0;
  for (const name of names) {
    const [one, other] = [ones.get(name), others.get(name)];
    const difference = describedDifference(name, one, other);
    if (!haveSameShape(one, other)) {
      tensors.push(difference);
      continue;
    }
    const count = elementCount(one!.shape)!;
    const compared = new Comparison(count);
    for (let at = 0; at < count; at += ELEMENTS_AT_ONCE) {
      throwIfAborted(signal, 'comparing bundles');
      const end = Math.min(count, at + ELEMENTS_AT_ONCE);
      compared.add(
        await elements(before.weights, one!, at, end, signal),
        await elements(after.weights, other!, at, end, signal),
      );
      onProgress?.(done + end, total);
    }
    done += count;
    tensors.push(...compared.found(difference, one!, other!));
  }
  await before.complete(signal);
  await after.complete(signal);
  return isSame ? IDENTICAL : judge(before.model, after.model, tensors);
}

const IDENTICAL: BundleDifference = { verdict: 'identical', fields: [], tensors: [] };
/** 8 MiB of float64. */
const ELEMENTS_AT_ONCE = 2 ** 20;

async function elements(
  source: WeightSource,
  { name, dtype }: WeightEntry,
  start: number,
  end: number,
  signal: AbortSignal | undefined,
): Promise<NdArray> {
  return { dtype, shape: [end - start], data: await source.readElements(name, start, end, signal) };
}

function judge(
  before: BundleModel,
  after: BundleModel,
  tensors: readonly TensorDifference[],
): BundleDifference {
  const shared = Object.keys(before.tensors).filter((name) => Object.hasOwn(after.tensors, name));
  const fields = changes(described(before, shared), described(after, shared), '');
  const matters = ({ field }: Change) =>
    APPLIED.some((part) => field === part || field.startsWith(`${part}.`));
  const equal = tensors.length === 0 && !fields.some(matters);
  return { verdict: equal ? 'same numbers' : 'different', fields, tensors };
}

/** model.json without the checksums, which follow from the rest, and of tensors that both have the meanings alone. */
function described(model: BundleModel, shared: readonly string[]): Json {
  const { contentHash: _, files: __, tensors, ...rest } = model;
  const meanings = shared.map((name) => [name, { meaning: tensors[name]!.meaning }]);
  return { ...rest, tensors: Object.fromEntries(meanings) } as Json;
}

function changes(before: Json | undefined, after: Json | undefined, field: string): Change[] {
  const both = [before, after];
  const composed = both.every((value) => typeof value === 'object' && value !== null);
  if (composed && both.every(Array.isArray) && both[0]!.length === both[1]!.length) {
    return (before as Json[]).flatMap((value, i) => changes(value, (after as Json[])[i]!, `${field}.${i}`));
  }
  if (composed && !both.some(Array.isArray)) {
    const [one, other] = both as Record<string, Json>[];
    const keys = [...new Set([...Object.keys(one!), ...Object.keys(other!)])];
    const of = (record: Record<string, Json>, key: string) =>
      Object.hasOwn(record, key) ? record[key] : undefined;
    return keys.flatMap((key) => changes(of(one!, key), of(other!, key), field ? `${field}.${key}` : key));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [change(field, before, after)];
}

function change(field: string, before: Json | undefined, after: Json | undefined): Change {
  return { field, ...(before !== undefined && { before }), ...(after !== undefined && { after }) };
}

type Spec = Pick<BundleTensor, 'dtype' | 'shape'>;

function allNames(
  before: ReadonlyMap<string, unknown>,
  after: ReadonlyMap<string, unknown>,
): readonly string[] {
  return [...new Set([...before.keys(), ...after.keys()])];
}

const haveSameShape = (one: Spec | undefined, other: Spec | undefined): boolean =>
  one !== undefined && other !== undefined && one.shape.join() === other.shape.join();

function describedDifference(name: string, one: Spec | undefined, other: Spec | undefined): TensorDifference {
  const spec = ({ dtype, shape }: Spec) => `${dtype} [${shape.join(', ')}]`;
  return { name, ...(one && { before: spec(one) }), ...(other && { after: spec(other) }) };
}

/** Types whose values float32 holds exactly. */
const NARROW: readonly string[] = ['f32', 'f16', 'bf16'];

/** Values of one tensor against those of another, in pieces of equal length. */
class Comparison {
  readonly #of: number;
  #differing = 0;
  #maxAbsolute = 0;
  #maxRelative = 0;
  #notFinite = 0;

  constructor(of: number) {
    this.#of = of;
  }

  add(before: NdArray, after: NdArray): void {
    const valuesOf = [before, after].every(({ dtype }) => NARROW.includes(dtype)) ? toFloat32 : toFloat64;
    const [one, other] = [valuesOf(before), valuesOf(after)];
    for (let i = 0; i < one.length; i++) {
      const [a, b] = [one[i]!, other[i]!];
      if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
      this.#differing++;
      if (!Number.isFinite(a) || !Number.isFinite(b)) {
        this.#notFinite++;
        continue;
      }
      const difference = Math.abs(a - b);
      this.#maxAbsolute = Math.max(this.#maxAbsolute, difference);
      this.#maxRelative = Math.max(this.#maxRelative, difference / Math.max(Math.abs(a), Math.abs(b)));
    }
  }

  /** Nothing where values and types are the same. */
  found(difference: TensorDifference, one: Spec, other: Spec): TensorDifference[] {
    if (this.#differing === 0 && one.dtype === other.dtype) return [];
    const values = {
      differing: this.#differing,
      of: this.#of,
      maxAbsolute: this.#maxAbsolute,
      maxRelative: this.#maxRelative,
      notFinite: this.#notFinite,
    };
    return [{ ...difference, values }];
  }
}
