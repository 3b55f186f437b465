import type { Json } from '../data/json.ts';
import type { BundleTensor } from './contents.ts';
import type { OpenedBundle } from './open.ts';

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
  if (before.model.contentHash === after.model.contentHash)
    return { verdict: 'identical', fields: [], tensors: [] };
  const shared = Object.keys(before.model.tensors).filter((name) => Object.hasOwn(after.model.tensors, name));
  const fields = changes(described(before, shared), described(after, shared), '');
  const tensors = tensorDifferences(before.contents.tensors, after.contents.tensors);
  const matters = ({ field }: Change) =>
    APPLIED.some((part) => field === part || field.startsWith(`${part}.`));
  const equal = tensors.length === 0 && !fields.some(matters);
  return { verdict: equal ? 'same numbers' : 'different', fields, tensors };
}

/** model.json without the checksums, which follow from the rest, and of tensors that both have the meanings alone. */
function described({ model }: OpenedBundle, shared: readonly string[]): Json {
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

function tensorDifferences(
  before: readonly BundleTensor[],
  after: readonly BundleTensor[],
): TensorDifference[] {
  const names = [...new Set([...before, ...after].map(({ name }) => name))];
  return names.flatMap((name) => {
    const one = before.find((tensor) => tensor.name === name);
    const other = after.find((tensor) => tensor.name === name);
    const spec = (tensor: BundleTensor) => `${tensor.dtype} [${tensor.shape.join(', ')}]`;
    const difference = { name, ...(one && { before: spec(one) }), ...(other && { after: spec(other) }) };
    if (one?.shape.join() !== other?.shape.join()) return [difference];
    const values = compare(one!.data as ArrayLike<number>, other!.data as ArrayLike<number>);
    return values.differing === 0 && one!.dtype === other!.dtype ? [] : [{ ...difference, values }];
  });
}

function compare(one: ArrayLike<number>, other: ArrayLike<number>): NonNullable<TensorDifference['values']> {
  let [differing, maxAbsolute, maxRelative, notFinite] = [0, 0, 0, 0];
  for (let i = 0; i < one.length; i++) {
    const [a, b] = [one[i]!, other[i]!];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    differing++;
    if (!Number.isFinite(a) || !Number.isFinite(b)) {
      notFinite++;
      continue;
    }
    const difference = Math.abs(a - b);
    maxAbsolute = Math.max(maxAbsolute, difference);
    maxRelative = Math.max(maxRelative, difference / Math.max(Math.abs(a), Math.abs(b)));
  }
  return { differing, of: one.length, maxAbsolute, maxRelative, notFinite };
}
