import { F2iError } from '../error.ts';
import type { Json } from './json.ts';
import { didYouMean, nearest } from './study/nearest.ts';

/** What zod reports of one field; only what is read here. */
interface Issue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** Of a wrong type. */
  readonly expected?: string;
  /** Of a wrong word. */
  readonly values?: readonly unknown[];
  /** Keys that are not in the schema. */
  readonly keys?: readonly string[];
  readonly minimum?: unknown;
  readonly maximum?: unknown;
  readonly inclusive?: boolean;
  readonly origin?: string;
  /** Of each alternative of a union. */
  readonly errors?: readonly (readonly Issue[])[];
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'an object { ... }',
  record: 'an object { ... }',
};

/** How a kind of file speaks of itself. */
export interface SchemaWords {
  /** Its top level: `the manifest`. */
  readonly whole: string;
  /** What fields of a structure of their own hold, by their path (`output.shape`) or their last key (`shape`). */
  readonly meanings?: Readonly<Record<string, string>>;
}

/**
 * What is wrong with a JSON file, as one error: its field, what belongs there, and what stands there.
 *
 * @param issues of zod, for a schema that the value did not pass
 */
export function schemaError(
  json: Json,
  issues: readonly object[],
  schema: unknown,
  file: string,
  { whole, meanings = {} }: SchemaWords = { whole: 'the whole' },
): F2iError {
  const { issue, at } = mostTelling(issues as readonly Issue[], [], schema);
  const field = at.map(String).join('.') || whole;
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, at);
    const key = issue.keys!.find((name) => nearest(name, known)) ?? issue.keys![0]!;
    return new F2iError('FORMAT', `unknown key ${JSON.stringify(key)}${didYouMean(key, known)}`, {
      file,
      field,
      expected: known.length > 0 ? `one of ${known.join(', ')}` : undefined,
    });
  }
  const found = valueAt(json, at);
  const message = found === undefined ? 'missing' : 'not what belongs here';
  return new F2iError('FORMAT', message, {
    file,
    field,
    expected: expectedOf(issue, at, meanings),
    found: shown(found),
  });
}

interface Located {
  readonly issue: Issue;
  /** Path from the top of the file. */
  readonly at: readonly PropertyKey[];
}

/** A misspelt key explains what else is missing; otherwise the first issue, down to the alternative that was meant. */
function mostTelling(issues: readonly Issue[], above: readonly PropertyKey[], schema: unknown): Located {
  const misspelt = issues.find(
    ({ keys, path }) => keys?.some((key) => nearest(key, keysAt(schema, [...above, ...path]))) ?? false,
  );
  const issue = misspelt ?? issues.toSorted((a, b) => b.path.length - a.path.length)[0]!;
  const at = [...above, ...issue.path];
  const alternatives = issue.errors ?? [];
  // Alternatives that all fail at this very value: it is wrong as a whole.
  const whole = alternatives.every((inner) => inner.length === 1 && inner[0]!.path.length === 0);
  if (alternatives.length === 0 || (whole && alternatives.every(([only]) => !only!.keys)))
    return { issue, at };
  // The alternative with the fewest issues is what the author meant.
  return mostTelling(alternatives.toSorted((a, b) => a.length - b.length)[0]!, at, schema);
}

function expectedOf(
  issue: Issue,
  at: readonly PropertyKey[],
  meanings: Readonly<Record<string, string>>,
): string {
  const [parent, key] = [at.at(-2), String(at.at(-1))];
  const path = at.map(String).join('.');
  if (Object.hasOwn(meanings, path)) return meanings[path]!;
  // Keys of `columns` are the author's own.
  if (parent !== 'columns' && Object.hasOwn(meanings, key)) return meanings[key]!;
  if (issue.errors && issue.errors.length > 0) {
    return [...new Set(issue.errors.map(([only]) => expectedOf(only!, at, meanings)))].join(' or ');
  }
  if (issue.values) return issue.values.map((value) => JSON.stringify(value)).join(' or ');
  if (issue.minimum !== undefined || issue.maximum !== undefined) {
    const length = issue.origin === 'string' ? 'text of ' : issue.origin === 'array' ? 'a list of ' : '';
    const bound =
      issue.minimum !== undefined
        ? `${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`
        : `${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}`;
    return length + bound + (issue.origin === 'string' ? ' characters' : '');
  }
  if (issue.expected !== undefined) return TYPES[issue.expected] ?? issue.expected;
  return issue.message;
}

/** A value as JSON, cut short. */
function shown(value: Json | undefined): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function valueAt(json: Json, path: readonly PropertyKey[]): Json | undefined {
  let value: Json | undefined = json;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, Json>)[key];
  }
  return value;
}

interface SchemaNode {
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly def?: {
    readonly innerType?: unknown;
    readonly element?: unknown;
    readonly valueType?: unknown;
    readonly options?: readonly unknown[];
  };
}

/** Keys that the schema knows at a path, of all alternatives. */
function keysAt(schema: unknown, path: readonly PropertyKey[]): string[] {
  const { shape, def } = schema as SchemaNode;
  const [next, ...rest] = path;
  if (shape) {
    if (next === undefined) return Object.keys(shape);
    const inner = Object.hasOwn(shape, next) ? shape[String(next)] : undefined;
    return inner === undefined ? [] : keysAt(inner, rest);
  }
  const inside = def?.element ?? def?.valueType;
  if (inside) return next === undefined ? [] : keysAt(inside, rest);
  const parts = [...(def?.innerType ? [def.innerType] : []), ...(def?.options ?? [])];
  return [...new Set(parts.flatMap((part) => keysAt(part, path)))];
}
