import type { Json } from '@fmri2image/core';
import type { FoldRecord } from '../pipeline/folds.ts';
import { score, short } from './format.ts';

/** Settings of a fitted decoder in words: those that cross-validation chose, and those that were given. */
export interface Choices {
  readonly chosen: Readonly<Record<string, string>>;
  readonly given: Readonly<Record<string, string>>;
}

/**
 * Reads them from what the decoder's bundle would say; what is not there is left out.
 *
 * @param head of several, whose penalties are told
 */
export function choicesOf({ report, config, ledger }: FoldRecord, head?: string): Choices {
  const chosen: Record<string, string> = {};
  const given: Record<string, string> = {};
  const ofHead = Array.isArray(report.heads)
    ? report.heads.map(record).find((one) => one?.name === head)?.alpha
    : undefined;
  if (typeof ofHead === 'number') given.alpha = short(ofHead);
  const counts = record(record(ofHead)?.chosen);
  if (counts) {
    const taken = Object.entries(counts).map(([alpha, targets]) => `${alpha} (${targets})`);
    chosen['alpha (targets)'] = taken.length > 8 ? `${taken.length} values` : taken.join(', ');
  }
  const delays = ledger.flatMap(({ step }) => /^delays of (.+ s)$/.exec(step)?.[1] ?? [])[0];
  if (delays !== undefined) chosen.delays = delays;
  const cross = record(report.crossValidation);
  const alpha = record(report.alpha);
  if (alpha && typeof alpha.smallest === 'number' && typeof alpha.largest === 'number') {
    const [low, high] = [short(alpha.smallest), short(alpha.largest)];
    (cross ? chosen : given).alpha = low === high ? low : `${low} to ${high}`;
  }
  const options = comparedSettings(report);
  for (const [name, value] of Object.entries(config)) {
    const text = inWords(name, value);
    if (text === undefined) continue;
    ((options[name]?.length ?? 0) > 1 ? chosen : given)[NAMES[name] ?? spoken(name)] = text;
  }
  if (cross && typeof cross.meanScore === 'number') {
    const measure = typeof cross.score === 'string' ? (CRITERIA[cross.score] ?? cross.score) : 'score';
    chosen[`${measure} in cross-validation`] = meanScore(cross.meanScore);
  }
  return { chosen, given };
}

/**
 * What cross-validation compared, by the name of each setting in the decoder's configuration. Settings that were
 * compared together share an entry of the report: `"ridge x smoothTime": { grid: { ridge: [...], smoothTime: [...] } }`.
 * (The values of the ridge decoder's one penalty are a plain list, `crossValidation.grid`.)
 */
export function comparedSettings(report: FoldRecord['report']): Readonly<Record<string, readonly Json[]>> {
  const compared: Record<string, readonly Json[]> = {};
  for (const entry of Object.values(record(report.crossValidation) ?? {})) {
    for (const [name, values] of Object.entries(record(record(entry)?.grid) ?? {})) {
      if (Array.isArray(values)) compared[name] = values;
    }
  }
  return compared;
}

/** In a column: as many digits in each row, where they are scores below 10. */
const meanScore = (value: number) => (Math.abs(value) < 10 ? score(value) : short(value));

/** What chooses penalties, in words. */
export const CRITERIA: Readonly<Record<string, string>> = {
  negativeSquaredError: 'negative squared error',
  r2: 'explained variance',
  correlation: 'correlation',
};

/** Settings whose names say too little by themselves. */
const NAMES: Readonly<Record<string, string>> = {
  prf: 'model of receptive fields',
  acquisition: 'volume acquired (parts of the repetition time after its frame)',
  guardSeconds: 'guard (s)',
  threshold: 'least training correlation of a voxel',
  signed: 'negative amplitudes',
  bounds: 'bounds of pixels',
  blockDrift: 'drift of a decoded block',
  iterations: 'steps of the inversion',
};

/** Settings with the same value in all folds. */
export function sameInAll(all: readonly Choices[]): [name: string, value: string][] {
  const [first, ...rest] = all.map(({ given }) => given);
  return Object.entries(first ?? {}).filter(([name, value]) => rest.every((other) => other[name] === value));
}

function inWords(name: string, value: Json): string | undefined {
  if (name === 'blockDrift' && typeof value === 'number') {
    return value < 0 ? 'none' : `polynomial of degree ${value}`;
  }
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
