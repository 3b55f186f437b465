import type { Json } from '@fmri2image/core';
import type { FoldRecord } from '../pipeline/folds.ts';
import { short } from './format.ts';

/** Settings of a fitted decoder in words: those that cross-validation chose, and those that were given. */
export interface Choices {
  readonly chosen: Readonly<Record<string, string>>;
  readonly given: Readonly<Record<string, string>>;
}

/** Reads them from what the decoder's bundle would say; what is not there is left out. */
export function choicesOf({ report, config, ledger }: FoldRecord): Choices {
  const chosen: Record<string, string> = {};
  const given: Record<string, string> = {};
  const delays = ledger.flatMap(({ step }) => /^delays of (.+ s)$/.exec(step)?.[1] ?? [])[0];
  if (delays !== undefined) chosen.delays = delays;
  const cross = record(report.crossValidation);
  const alpha = record(report.alpha);
  if (alpha && typeof alpha.smallest === 'number' && typeof alpha.largest === 'number') {
    const [low, high] = [short(alpha.smallest), short(alpha.largest)];
    (cross ? chosen : given).alpha = low === high ? low : `${low} to ${high}`;
  }
  const grid = record(cross?.grid) ?? {};
  for (const [name, value] of Object.entries(config)) {
    const text = inWords(value);
    const options = grid[name];
    if (text === undefined) continue;
    (Array.isArray(options) && options.length > 1 ? chosen : given)[spoken(name)] = text;
  }
  if (cross && typeof cross.meanScore === 'number') {
    const measure = typeof cross.score === 'string' ? (CRITERIA[cross.score] ?? cross.score) : 'score';
    chosen[`${measure} in cross-validation`] = short(cross.meanScore);
  }
  return { chosen, given };
}

/** What chooses penalties, in words. */
export const CRITERIA: Readonly<Record<string, string>> = {
  negativeSquaredError: 'negative squared error',
  r2: 'explained variance',
  correlation: 'correlation',
};

/** Settings with the same value in all folds. */
export function sameInAll(all: readonly Choices[]): [name: string, value: string][] {
  const [first, ...rest] = all.map(({ given }) => given);
  return Object.entries(first ?? {}).filter(([name, value]) => rest.every((other) => other[name] === value));
}

function inWords(value: Json): string | undefined {
  if (typeof value === 'number') return short(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'string' && value.length <= 40 ? value : undefined;
}

/** `noiseCorrelation` as `noise correlation`. */
const spoken = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** An object of JSON, and nothing else. */
export function record(value: Json | undefined): { readonly [key: string]: Json } | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}
