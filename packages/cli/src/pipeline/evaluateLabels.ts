import {
  blocksOf,
  evaluateLabels,
  F2iError,
  type LabelEvaluation,
  labelTargets,
  type Study,
} from '@fmri2image/core';
import { type Console, table } from '../console.ts';
import { decimal, three } from './numbers.ts';
import type { Results } from './results.ts';

export interface EvaluateLabelSettings {
  readonly permutations: number;
  readonly seed: number;
  /** Keep the scores of all rearrangements, for drawing. */
  readonly keepNull?: boolean | undefined;
}

/**
 * Scores decoded labels against those of the study.
 *
 * @throws FORMAT where the results are of another study; USAGE where a trial has no such label
 */
export async function evaluateLabelResults(
  study: Study,
  { items, values, labels, meanPicture }: Results,
  { permutations, seed, keepNull }: EvaluateLabelSettings,
  signal: AbortSignal,
): Promise<LabelEvaluation> {
  const { stimuli, trials } = labelTargets(study, labels);
  const blocks = blocksOf(study);
  const rows = items.map((item, i) => {
    const index = item.trials[0]!;
    if (trials[index] && item.stimulusName === trials[index].label) return index;
    throw new F2iError('FORMAT', 'the decoded labels belong to another study', {
      file: 'reconstructions.json',
      field: `items.${i}.stimulusName`,
      expected: `${trials[index]?.label} (${study.name})`,
      found: `${item.stimulusName}`,
    });
  });
  return evaluateLabels(
    {
      names: stimuli.names,
      scores: values,
      truth: rows.map((row) => trials[row]!.stimulus!),
      runs: items.map(({ run }) => run),
      blocks: rows.map((row) => blocks[row]!),
      frequencies: meanPicture,
    },
    {
      permutations,
      seed,
      keepNull,
      signal,
      // Runs that were held out in turn trained each other's decoders.
      crossFitted: new Set(items.flatMap(({ heldOut }) => heldOut ?? [])).size > 1,
    },
  );
}

/** The scores as people read them, and the confusion matrix. */
export function printLabels(console: Console, evaluation: LabelEvaluation, decoder: string): void {
  const { accuracy, blocks, balancedAccuracy, mostFrequent, permutation, labels, confusion } = evaluation;
  const line = (name: string, { score, interval, chance, shuffled, p }: typeof accuracy) => [
    name,
    three(score),
    `${three(interval[0])} to ${three(interval[1])}`,
    decimal(chance),
    mostFrequent === undefined ? 'n/a' : three(mostFrequent),
    permutation.reason === undefined ? three(shuffled.mean) : 'n/a',
    p === null ? 'n/a' : decimal(p),
  ];
  console.print(
    table([
      ['', decoder, '95 % interval', 'chance', 'most frequent', 'shuffled', 'p'],
      line('accuracy', accuracy),
      ...(blocks ? [line(`  of ${blocks.count} blocks`, blocks.accuracy)] : []),
    ]),
  );
  console.print(`balanced accuracy ${three(balancedAccuracy)}; ${independenceInWords(evaluation)}`);
  console.print(permutationInWords(evaluation));
  const share = (value: number | undefined) => (value === undefined ? 'n/a' : value.toFixed(2));
  console.print(
    table([
      ['shown \\ decoded', ...labels.map(({ name }) => name), 'recall', 'precision'],
      ...labels.map(({ name, recall, precision }, i) => [
        name,
        ...confusion[i]!.map(String),
        share(recall),
        share(precision),
      ]),
    ]),
  );
}

/** What the scores count, and what of it is independent. */
export function independenceInWords({ trials, blocks, bootstrap }: LabelEvaluation): string {
  const units = `${bootstrap.units} ${bootstrap.unit}s`;
  const interval = `intervals resample ${units}`;
  return blocks
    ? `${trials} volumes in ${blocks.count} blocks, which are not independent within a block; ${interval}`
    : `${trials} trials; ${interval}`;
}

export function permutationInWords({ permutation, blocks }: LabelEvaluation): string {
  const { reason, exact, permutations, seed, crossFitted, smallestP } = permutation;
  if (reason !== undefined) return `no p: ${reason}`;
  const what = blocks
    ? 'orders of the labels of whole blocks within runs'
    : 'orders of the labels within runs';
  const widened = crossFitted ? ', their spread widened as the runs were cross-fitted' : '';
  return `p from ${exact ? `all ${permutations}` : `${permutations} random`} ${what} (seed ${seed})${widened}, the smallest possible is ${decimal(smallestP)}`;
}
