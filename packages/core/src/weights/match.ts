import { F2iError } from '../error.ts';
import {
  extentAt,
  factorsOf,
  indexOf,
  type ModelSizes,
  nameAt,
  type WeightRule,
  type WeightSchema,
} from './schema.ts';
import type { WeightEntry, WeightSource } from './source.ts';

/** A tensor of the model, and what it is called in the file. */
export interface MatchedWeight {
  readonly name: string;
  readonly stored: WeightEntry;
  readonly meaning: string;
  /** Rows to look up or to add: f32, as vectors are. */
  readonly table: boolean;
}

/** A file that holds a model: which tensor is which, and the sizes that follow. */
export interface MatchedWeights extends ModelSizes {
  readonly model: string;
  /** What precedes each name in the file. */
  readonly prefix: string;
  /** By canonical name, in the schema's order. */
  readonly weights: ReadonlyMap<string, MatchedWeight>;
  /** Names of tensors that do not matter. */
  readonly ignored: readonly string[];
}

interface Found {
  readonly rule: WeightRule;
  readonly index: number;
  readonly weight: MatchedWeight;
}

/** More are not listed. */
const MAXIMUM_PROBLEMS = 20;
/** Indices of subjects, blocks, layers: never more. */
const MAXIMUM_INDEX = 999;
const NO_EXTENTS: ReadonlyMap<string, number> = new Map();

/**
 * Finds a model's tensors in a file, whatever its prefix and the naming of its library's version, and solves its sizes.
 *
 * @throws FORMAT, listing each key that is missing, extra, of another shape or not of floats (at most 20 of them)
 */
export function matchWeights(
  { entries, name: file }: Pick<WeightSource, 'entries' | 'name'>,
  schema: WeightSchema,
): MatchedWeights {
  const problems: string[] = [];
  const prefix = prefixOf(entries, schema, file);
  const { found, ignored } = assign(entries, prefix, schema, problems);
  const counts = countIndices(found);
  const groups = new Set(found.flatMap(({ rule }) => (rule.group && !rule.differ ? [rule.group] : [])));
  const extents = solve(found);
  const weights = new Map<string, MatchedWeight>();
  const byName = new Map(found.map((one) => [one.weight.name, one]));
  const expected = schema.rules.flatMap((rule) => {
    const letter = indexOf(rule.name);
    const count = letter === undefined ? 1 : Math.max(1, counts.get(letter) ?? 0);
    const needed = (rule.group === undefined || groups.has(rule.group)) && !isSpared(rule, extents);
    return Array.from({ length: count }, (_, index) => ({ rule, index, needed }));
  });
  // Sizes that a few tensors of what may be another model have say nothing of this one.
  const known = 2 * found.length >= expected.filter(({ needed }) => needed).length ? extents : NO_EXTENTS;
  for (const { rule, index, needed } of expected) {
    const one = byName.get(nameAt(rule.name, index));
    if (!one && needed)
      problems.push(`missing ${prefix}${nameAt(rule.name, index)} ${described(rule, index, known)}`);
    if (!one) continue;
    if (!needed) problems.push(`extra ${one.weight.stored.name}: there is nothing for it to match`);
    const wrong = shapeProblem(one, extents, known) ?? typeProblem(one.weight.stored);
    if (wrong) problems.push(wrong);
    weights.set(one.weight.name, one.weight);
  }
  if (problems.length > 0) throw misfit(problems, schema.model, file);
  return { model: schema.model, prefix, weights, extents, counts, groups, ignored };
}

function misfit(problems: readonly string[], model: string, file: string): F2iError {
  const shown = problems.slice(0, MAXIMUM_PROBLEMS).join('\n  ');
  const rest = problems.length > MAXIMUM_PROBLEMS ? `\n  and ${problems.length - MAXIMUM_PROBLEMS} more` : '';
  const keys = problems.length === 1 ? '1 key does' : `${problems.length} keys do`;
  return new F2iError('FORMAT', `${keys} not fit the model ${model}:\n  ${shown}${rest}`, { file });
}

/** Of the tensors in a file, how many have names of the model, under the prefix where most have. */
export function countFitting({ entries }: Pick<WeightSource, 'entries'>, schema: WeightSchema): number {
  return bestPrefix(entries, schema).count;
}

function bestPrefix(
  entries: ReadonlyMap<string, WeightEntry>,
  schema: WeightSchema,
): { prefix: string; count: number } {
  const patterns = patternsOf(schema);
  const fits = (prefix: string) => {
    let count = 0;
    for (const name of entries.keys()) {
      const rest = name.startsWith(prefix) ? canonical(name.slice(prefix.length), schema) : undefined;
      if (rest !== undefined && patterns.some(({ pattern }) => pattern.test(rest))) count++;
    }
    return count;
  };
  const scores = ['', ...schema.prefixes].map((prefix) => ({ prefix, count: fits(prefix) }));
  return scores.reduce((most, score) => (score.count > most.count ? score : most));
}

/** The prefix under which most of the model's names are found; the shortest of those. */
function prefixOf(entries: ReadonlyMap<string, WeightEntry>, schema: WeightSchema, file: string): string {
  const best = bestPrefix(entries, schema);
  if (best.count > 0) return best.prefix;
  const names = [...entries.keys()];
  throw new F2iError('FORMAT', `none of its keys is of the model ${schema.model}`, {
    file,
    expected: `keys such as ${nameAt(schema.rules[0]!.name, 0)}`,
    found:
      names.length > 0 ? `${names.slice(0, 5).join(', ')}${names.length > 5 ? ', ...' : ''}` : 'no tensors',
  });
}

const patternsOf = ({ rules }: WeightSchema) =>
  rules.map((rule) => ({
    rule,
    pattern: new RegExp(
      `^${rule.name
        .split(/\{\w+\}/)
        .map((part) => part.replace(/\./g, '\\.'))
        .join('(0|[1-9]\\d{0,2})')}$`,
    ),
  }));

/** A name as this version of the schema writes it. */
function canonical(name: string, { renamed }: WeightSchema): string {
  return renamed.reduce((text, [from, to]) => text.replace(from, to), name);
}

function assign(
  entries: ReadonlyMap<string, WeightEntry>,
  prefix: string,
  schema: WeightSchema,
  problems: string[],
): { found: Found[]; ignored: string[] } {
  const patterns = patternsOf(schema);
  const found = new Map<string, Found>();
  const ignored: string[] = [];
  for (const stored of entries.values()) {
    const own = stored.name.startsWith(prefix) ? stored.name.slice(prefix.length) : undefined;
    const name = own === undefined ? undefined : canonical(own, schema);
    const hit = name === undefined ? undefined : patterns.find(({ pattern }) => pattern.test(name));
    if (!hit || name === undefined) {
      const known = schema.ignored.some(
        (pattern) => pattern.test(own ?? stored.name) || pattern.test(stored.name),
      );
      if (known) ignored.push(stored.name);
      else problems.push(`extra ${stored.name} [${stored.shape.join(', ')}]`);
      continue;
    }
    const other = found.get(name);
    if (other) {
      problems.push(`${stored.name} and ${other.weight.stored.name} are two names of one tensor`);
      continue;
    }
    const index = Number(hit.pattern.exec(name)![1] ?? 0);
    const { meaning, table = false } = hit.rule;
    found.set(name, { rule: hit.rule, index, weight: { name, stored, meaning, table } });
  }
  return { found: [...found.values()], ignored };
}

function countIndices(found: readonly Found[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { rule, index } of found) {
    const letter = indexOf(rule.name);
    if (letter !== undefined && index <= MAXIMUM_INDEX) {
      counts.set(letter, Math.max(counts.get(letter) ?? 0, index + 1));
    }
  }
  return counts;
}

/**
 * Values of the symbols. Where a symbol is an extent by itself, the value that most tensors give it wins, so that one
 * tensor of another shape is the one that is reported; then products are divided by what is known.
 */
function solve(found: readonly Found[]): Map<string, number> {
  const votes = new Map<string, Map<number, number>>();
  const products: { number: number; symbols: string[]; extent: number }[] = [];
  for (const { rule, index, weight } of found) {
    const { shape } = weight.stored;
    if (shape.length !== rule.shape.length) continue;
    for (const [axis, text] of rule.shape.entries()) {
      const { number, symbols } = factorsOf(text, index);
      const extent = shape[axis]!;
      if (symbols.length !== 1 || number !== 1) {
        if (symbols.length > 0) products.push({ number, symbols, extent });
        continue;
      }
      const values = votes.get(symbols[0]!) ?? new Map<number, number>();
      values.set(extent, (values.get(extent) ?? 0) + 1);
      votes.set(symbols[0]!, values);
    }
  }
  const extents = new Map<string, number>();
  for (const [symbol, values] of votes) {
    extents.set(symbol, [...values].reduce((most, vote) => (vote[1] > most[1] ? vote : most))[0]);
  }
  for (let isNew = true; isNew; ) {
    isNew = false;
    for (const { number, symbols, extent } of products) {
      const unknown = symbols.filter((symbol) => !extents.has(symbol));
      if (unknown.length !== 1) continue;
      const known = symbols.reduce((product, symbol) => product * (extents.get(symbol) ?? 1), number);
      const value = extent / known;
      if (!Number.isInteger(value) || value < 1) continue;
      extents.set(unknown[0]!, value);
      isNew = true;
    }
  }
  return extents;
}

/** Whether a tensor is left out because two sizes are equal. */
function isSpared({ differ }: WeightRule, extents: ReadonlyMap<string, number>): boolean {
  return differ !== undefined && extents.get(differ[0]) === extents.get(differ[1]);
}

function shapeProblem(
  { rule, index, weight }: Found,
  extents: ReadonlyMap<string, number>,
  known: ReadonlyMap<string, number>,
): string | undefined {
  const { name, shape } = weight.stored;
  const fits =
    shape.length === rule.shape.length &&
    shape.every((extent, axis) => extentAt(rule.shape[axis]!, extents, index) === extent);
  return fits ? undefined : `${name} has the shape [${shape.join(', ')}] ${described(rule, index, known)}`;
}

function typeProblem({ name, dtype }: WeightEntry): string | undefined {
  const isFloat = dtype === 'f32' || dtype === 'f16' || dtype === 'bf16' || dtype === 'f64';
  return isFloat ? undefined : `${name} is of ${dtype}; expected floats`;
}

/** `(expected [tokens*clip, h] = [425984, 4096])`; what is unknown stays a symbol. */
function described(rule: WeightRule, index: number, extents: ReadonlyMap<string, number>): string {
  const symbols = rule.shape.map((extent) => extent.replace(/\[\w+\]$/, `[${index}]`));
  const values = rule.shape.map((extent, axis) => `${extentAt(extent, extents, index) ?? symbols[axis]}`);
  const same = symbols.join() === values.join();
  return `(expected [${symbols.join(', ')}]${same ? '' : ` = [${values.join(', ')}]`})`;
}
