import { parseNumber } from '../formats/table.ts';
import type { RecordingFacts } from './recording.ts';

/** Of a longer list: so many from its beginning, and as many from its end. */
const ENDS = 3;

/**
 * In which order rows of features of some stimuli are taken, in words: the rule, and the first and last of them. Rows of a
 * file carry no names: whoever made it must be able to see what is assumed of them.
 *
 * @param stimuli their identities; default all of the recording
 */
export function stimuliInOrder(
  {
    trials = [],
    stimulusName,
    stimulusOrder = 'by number',
  }: Partial<Pick<RecordingFacts, 'trials' | 'stimulusName' | 'stimulusOrder'>>,
  stimuli: Iterable<number> = trials.map(({ stimulus }) => stimulus),
): string {
  const names = [...new Set(stimuli)]
    .sort((a, b) => a - b)
    .map((stimulus) => stimulusName?.(stimulus) ?? `${stimulus}`);
  return `${stimulusOrder}: ${shortened(names)} (${names.length})`;
}

/**
 * Names sorted character by character, as most programs sort names of files: im1, im10, im2. Where people would count
 * (im1, im2, im10), that says so: features made in the other order would be regressed on the wrong stimuli, silently.
 */
function sortedNames(stated: readonly string[]): { names: string[]; warning: string | undefined } {
  const names = [...new Set(stated)].sort();
  const natural = names.slice().sort(byNumbers);
  if (names.every((name, i) => name === natural[i])) return { names, warning: undefined };
  return {
    names,
    warning: `stimuli are numbered by their names character by character, not by the numbers in them: rows of features must be in the order ${shortened(names)}, not ${shortened(natural)}`,
  };
}

/** Numbers of stimuli that a table names; undefined where all are whole numbers, which then are the identities. */
export function stimulusNames(
  stated: readonly string[],
): (ReturnType<typeof sortedNames> & { indexOf: Map<string, number> }) | undefined {
  if (stated.every((text) => /^\d+$/.test(text) && Number.isSafeInteger(parseNumber(text)))) return undefined;
  const sorted = sortedNames(stated);
  return { ...sorted, indexOf: new Map(sorted.names.map((name, i) => [name, i])) };
}

/** As people count: stretches of digits by their value, everything else character by character. */
function byNumbers(a: string, b: string): number {
  const [left, right] = [a.split(/(\d+)/), b.split(/(\d+)/)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [own, other] = [left[i]!, right[i]!];
    // Every second piece is of digits.
    const difference = i % 2 === 1 ? Number(own) - Number(other) : own < other ? -1 : own > other ? 1 : 0;
    if (difference !== 0) return difference;
  }
  return left.length - right.length || (a < b ? -1 : 1);
}

const shortened = (names: readonly string[]) =>
  names.length <= 2 * ENDS
    ? names.join(', ')
    : `${names.slice(0, ENDS).join(', ')}, ..., ${names.slice(-ENDS).join(', ')}`;
